//! One HTTP request: its proxy, its timeout, and how much of the answer is kept.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use ureq::http::Uri;

use super::proxy;

/// Maximum size of an answer's body.
pub(crate) const BODY: usize = 16 << 20;

/// Maximum size of an answer's head.
const HEAD: usize = 64 << 10;
const USER_AGENT: &str = concat!("kaf6/", env!("CARGO_PKG_VERSION"));

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Whether the body is longer than [`BODY`]. `body` then contains the complete lines up to this length.
    pub(crate) cut: bool,
}

/// Sends one request. `is_own` means that the address belongs to a container of the run, which no proxy can reach.
///
/// # Errors
///
/// The reason why there is no answer, with the proxy if one was used.
pub(crate) fn get(url: &str, is_own: bool, timeout: Duration) -> Result<Response, String> {
    let uri: Uri = url.parse().map_err(|error| format!("invalid URL `{url}`: {error}"))?;
    let chosen = if is_own { None } else { proxy::choose(&uri, |name| std::env::var(name).ok()) };
    let Some(chosen) = chosen else { return ask(&uri, None, timeout) };
    let named = || {
        let host = chosen.url.rsplit_once('@').map_or(chosen.url.as_str(), |(_, host)| host);
        format!("through the proxy {host} of {}", chosen.variable)
    };
    let proxy = ureq::Proxy::new(&chosen.url).map_err(|error| format!("{}: {error}", named()))?;
    if !matches!(proxy.protocol(), ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https) {
        return Err(format!("{}: only HTTP proxies are supported", named()));
    }
    let host = proxy::host(&uri).unwrap_or_default();
    // Many proxies allow CONNECT only for port 443.
    let is_plain = uri.scheme_str() == Some("http") && proxy.protocol() == ureq::ProxyProtocol::Http;
    let answer = if is_plain { forwarded(&uri, &proxy, timeout) } else { ask(&uri, Some(proxy), timeout) };
    answer.map_err(|error| format!("{}: {error}; to bypass the proxy, add {host} to NO_PROXY", named()))
}

/// Sends a request through a forwarding proxy, as HTTP/1.0, where the end of the connection ends the answer.
fn forwarded(uri: &Uri, proxy: &ureq::Proxy, timeout: Duration) -> Result<Response, String> {
    let until = Instant::now() + timeout;
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => late("no answer", timeout),
        _ => error.to_string(),
    };
    let left = || until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let addresses = (proxy.host(), proxy.port()).to_socket_addrs().map_err(failed)?;
    let mut stream = Err("the host name has no address".to_owned());
    for address in addresses {
        stream = TcpStream::connect_timeout(&address, left()).map_err(failed);
        if stream.is_ok() {
            break;
        }
    }
    let mut stream = stream?;
    let authority = uri.authority().map_or("", |it| it.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = uri.path_and_query().map_or("/", |it| it.as_str());
    let mut request =
        format!("GET http://{host}{path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\n");
    if let Some(user) = proxy.username() {
        let both = format!("{user}:{}", proxy.password().unwrap_or_default());
        request.push_str(&format!(
            "Proxy-Authorization: Basic {}\r\n",
            openssl::base64::encode_block(both.as_bytes())
        ));
    }
    request.push_str("\r\n");
    stream
        .set_write_timeout(Some(left()))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .map_err(failed)?;
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    while bytes.len() <= BODY + HEAD {
        stream.set_read_timeout(Some(left())).map_err(failed)?;
        match stream.read(&mut piece).map_err(failed)? {
            0 => break,
            _ if Instant::now() >= until => return Err(late("incomplete response", timeout)),
            length => bytes.extend_from_slice(&piece[..length]),
        }
    }
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or("the response is not HTTP")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status =
        head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or("the response is not HTTP")?;
    bytes.drain(..end + 4);
    let length = head.lines().filter_map(|line| line.split_once(':'));
    let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.filter_map(|(_, value)| value.trim().parse::<usize>().ok()).next();
    if length.is_some_and(|length| bytes.len() < length.min(BODY)) {
        return Err("incomplete response".to_owned());
    }
    Ok(Response::new(status, bytes))
}

fn late(what: &str, timeout: Duration) -> String {
    let seconds = (timeout.as_secs_f64() * 10.0).round() / 10.0;
    format!("{what} within {seconds} s")
}

impl Response {
    fn new(status: u16, mut body: Vec<u8>) -> Self {
        let cut = body.len() > BODY;
        if cut {
            // The last line is incomplete.
            body.truncate(BODY);
            let end = body.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            body.truncate(end);
        }
        Self { status, body: String::from_utf8_lossy(&body).into_owned(), cut }
    }
}

fn ask(uri: &Uri, proxy: Option<ureq::Proxy>, timeout: Duration) -> Result<Response, String> {
    let tls = ureq::tls::TlsConfig::builder().provider(ureq::tls::TlsProvider::NativeTls).build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .proxy(proxy)
        .http_status_as_error(false)
        .user_agent(USER_AGENT)
        .tls_config(tls)
        .build()
        .into();
    let mut answer = agent.get(uri).call().map_err(|error| match error {
        ureq::Error::Timeout(_) => late("no answer", timeout),
        ureq::Error::ConnectProxyFailed(reason) => reason,
        other => other.to_string(),
    })?;
    let mut body = Vec::new();
    let most = BODY as u64 + 1;
    answer.body_mut().as_reader().take(most).read_to_end(&mut body).map_err(|error| {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(ureq::Error::Timeout(_)) => late("incomplete response", timeout),
            _ => format!("reading the body: {error}"),
        }
    })?;
    Ok(Response::new(answer.status().as_u16(), body))
}
