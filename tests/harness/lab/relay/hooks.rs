//! Hooks for the kinds of misbehavior that tests need by name.
//! They are ordinary hooks. Tests can write their own with the same parts.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, CreateTopicsRequest, CreateTopicsResponse, FetchRequest, FetchResponse,
    ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse,
};

use super::{Relay, Request, Response, Verdict};

impl Relay {
    /// Sets empty records in answers to Fetch to null, as KafScale sends them.
    pub fn null_records(&self) {
        self.on_response(|response| {
            if response.request.api != ApiKey::Fetch {
                return Verdict::Pass;
            }
            let mut fetched: FetchResponse = response.decode();
            for partition in fetched.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
                partition.records.take_if(|records| records.is_empty());
            }
            Verdict::Replace(response.encode(&fetched))
        });
    }

    /// Answers every request of this API with an error; the broker never sees it.
    pub fn refuse(&self, api: ApiKey, error: ResponseError) {
        self.on_request(
            move |request| if request.api == api { request.refuse(error) } else { Verdict::Pass },
        );
    }

    /// Lets the broker do what the request asks, and tells the client that it failed.
    pub fn deny(&self, api: ApiKey, error: ResponseError) {
        self.on_response(
            move |response| {
                if response.request.api == api { response.deny(error) } else { Verdict::Pass }
            },
        );
    }

    /// Makes the broker offer an API up to this version only, or not at all.
    pub fn limit_api(&self, api: ApiKey, highest: Option<i16>) {
        self.on_response(move |response| {
            if response.request.api != ApiKey::ApiVersions {
                return Verdict::Pass;
            }
            let mut offered: ApiVersionsResponse = response.decode();
            offered.api_keys.retain(|offer| offer.api_key != api as i16 || highest.is_some());
            for offer in offered.api_keys.iter_mut().filter(|offer| offer.api_key == api as i16) {
                offer.max_version =
                    highest.map_or(offer.max_version, |highest| offer.max_version.min(highest));
            }
            Verdict::Replace(response.encode(&offered))
        });
    }
}

impl Request {
    /// An answer that says this error of everything that the request asks for.
    ///
    /// # Panics
    ///
    /// For an API that it has no answer for: Produce, Fetch, ListOffsets, Metadata and CreateTopics it knows.
    pub fn refuse(&self, error: ResponseError) -> Verdict {
        let code = error.code();
        Verdict::Answer(match self.api {
            ApiKey::Produce => self.encode(&refused_produce(&self.decode(), code)),
            ApiKey::Fetch => self.encode(&refused_fetch(&self.decode(), code)),
            ApiKey::ListOffsets => self.encode(&refused_offsets(&self.decode(), code)),
            ApiKey::Metadata => self.encode(&refused_metadata(self.decode(), code)),
            ApiKey::CreateTopics => self.encode(&refused_creation(&self.decode(), code)),
            other => panic!("the relay cannot refuse {other:?}"),
        })
    }
}

impl Response {
    /// The same answer, but for this error in place of success.
    ///
    /// # Panics
    ///
    /// For an API other than Produce and Fetch.
    pub fn deny(&self, error: ResponseError) -> Verdict {
        let code = error.code();
        Verdict::Replace(match self.request.api {
            ApiKey::Produce => {
                let mut produced: ProduceResponse = self.decode();
                for partition in
                    produced.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses)
                {
                    partition.error_code = code;
                    partition.base_offset = -1;
                }
                self.encode(&produced)
            }
            ApiKey::Fetch => {
                let mut fetched: FetchResponse = self.decode();
                for partition in fetched.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    partition.error_code = code;
                    partition.records = Some(Vec::new().into());
                }
                self.encode(&fetched)
            }
            other => panic!("the relay cannot deny {other:?}"),
        })
    }
}

fn refused_produce(request: &ProduceRequest, code: i16) -> ProduceResponse {
    let topics = request.topic_data.iter().map(|topic| {
        let partitions = topic.partition_data.iter().map(|partition| {
            PartitionProduceResponse::default()
                .with_index(partition.index)
                .with_error_code(code)
                .with_base_offset(-1)
        });
        TopicProduceResponse::default()
            .with_name(topic.name.clone())
            .with_topic_id(topic.topic_id)
            .with_partition_responses(partitions.collect())
    });
    ProduceResponse::default().with_responses(topics.collect())
}

fn refused_fetch(request: &FetchRequest, code: i16) -> FetchResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            PartitionData::default()
                .with_partition_index(partition.partition)
                .with_error_code(code)
                .with_high_watermark(-1)
                .with_records(Some(Vec::new().into()))
        });
        FetchableTopicResponse::default()
            .with_topic(topic.topic.clone())
            .with_topic_id(topic.topic_id)
            .with_partitions(partitions.collect())
    });
    FetchResponse::default().with_responses(topics.collect())
}

fn refused_offsets(request: &ListOffsetsRequest, code: i16) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            ListOffsetsPartitionResponse::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code)
        });
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn refused_metadata(request: MetadataRequest, code: i16) -> MetadataResponse {
    let topics = request.topics.unwrap_or_default().into_iter().map(|topic| {
        MetadataResponseTopic::default()
            .with_error_code(code)
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
    });
    MetadataResponse::default().with_topics(topics.collect())
}

fn refused_creation(request: &CreateTopicsRequest, code: i16) -> CreateTopicsResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| CreatableTopicResult::default().with_name(topic.name.clone()).with_error_code(code));
    CreateTopicsResponse::default().with_topics(topics.collect())
}
