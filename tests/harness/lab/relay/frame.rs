//! One Kafka frame, request or response, with separate header and body, so that a hook can decode, change and encode it.
//! On the wire, a frame follows its length in four bytes.

use std::io::{self, Read};

use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable};

/// What is known of a request, and of the answer to it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which API.
    pub api: ApiKey,
    /// In which version.
    pub version: i16,
    /// The client's number for it, unique on its connection.
    pub correlation_id: i32,
    /// The client's `client.id`.
    pub client_id: String,
    /// The number of the connection.
    pub connection: u64,
    /// What follows the header.
    pub body: Vec<u8>,
    header: RequestHeader,
}

/// An answer with the request it belongs to (that request's body is not kept).
#[derive(Debug, Clone)]
pub struct Response {
    /// The request.
    pub request: Request,
    /// What follows the header.
    pub body: Vec<u8>,
    header: ResponseHeader,
}

impl Request {
    pub(super) fn parse(connection: u64, frame: &[u8]) -> Self {
        let word = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
        let (key, version) = (word(0), word(2));
        let api = ApiKey::try_from(key)
            .unwrap_or_else(|()| panic!("API key {key} is one that kafka-protocol knows; update it"));
        let mut rest = frame;
        let header = RequestHeader::decode(&mut rest, api.request_header_version(version))
            .unwrap_or_else(|error| panic!("the header of {api:?} v{version} decodes: {error}"));
        let client_id = header.client_id.as_deref().unwrap_or_default().to_owned();
        let correlation_id = header.correlation_id;
        Self { api, version, correlation_id, client_id, connection, body: rest.to_vec(), header }
    }

    /// The body as its type says.
    pub fn decode<T: Decodable>(&self) -> T {
        T::decode(&mut self.body.as_slice(), self.version)
            .unwrap_or_else(|error| panic!("{:?} v{} decodes: {error}", self.api, self.version))
    }

    /// Bytes for `Verdict::Replace`, or for `Verdict::Answer`: a message in this request's version.
    pub fn encode<T: Encodable>(&self, message: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        message
            .encode(&mut bytes, self.version)
            .unwrap_or_else(|error| panic!("{:?} v{} encodes: {error}", self.api, self.version));
        bytes
    }

    /// The whole frame under another number.
    pub(super) fn frame(&self, correlation_id: i32) -> Vec<u8> {
        let mut header = self.header.clone();
        header.correlation_id = correlation_id;
        let mut bytes = vec![0; 4];
        header
            .encode(&mut bytes, self.api.request_header_version(self.version))
            .expect("a decoded header encodes");
        bytes.extend(&self.body);
        with_length(bytes)
    }

    /// The frame of an answer with this body.
    pub(super) fn answer(&self, body: Vec<u8>) -> Vec<u8> {
        let mut header = ResponseHeader::default();
        header.correlation_id = self.correlation_id;
        Response { request: self.without_body(), body, header }.frame()
    }

    /// The same without its body: what is kept until the answer comes.
    pub(super) fn without_body(&self) -> Self {
        Self {
            api: self.api,
            version: self.version,
            correlation_id: self.correlation_id,
            client_id: self.client_id.clone(),
            connection: self.connection,
            body: Vec::new(),
            header: RequestHeader::default(),
        }
    }
}

impl Response {
    pub(super) fn parse(request: Request, frame: &[u8]) -> Self {
        let mut rest = frame;
        let header = ResponseHeader::decode(&mut rest, request.api.response_header_version(request.version))
            .unwrap_or_else(|error| panic!("the answer's header to {:?} decodes: {error}", request.api));
        Self { request, body: rest.to_vec(), header }
    }

    /// The body as its type says. ApiVersions that a broker refuses comes in version 0 whatever was asked.
    pub fn decode<T: Decodable>(&self) -> T {
        let Request { api, version, .. } = self.request;
        T::decode(&mut self.body.as_slice(), version)
            .unwrap_or_else(|error| panic!("the answer to {api:?} v{version} decodes: {error}"))
    }

    /// Bytes for `Verdict::Replace`.
    pub fn encode<T: Encodable>(&self, message: &T) -> Vec<u8> {
        self.request.encode(message)
    }

    pub(super) fn frame(&self) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        self.header
            .encode(&mut bytes, self.request.api.response_header_version(self.request.version))
            .expect("a decoded header encodes");
        bytes.extend(&self.body);
        with_length(bytes)
    }
}

/// The next frame without its length; an error where the connection ends.
pub(super) fn read(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

fn with_length(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(bytes.len() - 4).expect("a frame is under 4 GiB");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}
