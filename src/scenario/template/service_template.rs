//! Texts with `{{...}}` references to services: addresses, ports and replicas that are known only in a
//! running cluster.
//!
//! Defines the syntax of references. `plan::compile` checks where they are allowed, and the cluster resolves
//! them.

use std::fmt;

use crate::scenario::template::TemplateError;

/// A text with references, already parsed. Only [`ServiceTemplate::resolve`] prints values from the
/// environment.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServiceTemplate {
    source: String,
    parts: Vec<ReferencePart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ReferencePart {
    Text(String),
    Reference(Reference),
}

/// The references in the text of a service or address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// `replica`: the replica's number, from 0.
    Replica,
    RunId,
    /// `self.host`: the host where clients reach this replica.
    SelfHost,
    /// `self.port.NAME`: the port where clients reach this replica's port of that name.
    SelfPort(String),
    /// `SERVICE.PORT` or `SERVICE.REPLICA.PORT`: `host:port` of another service, as seen from the user of the
    /// text.
    Service {
        service: String,
        /// The replica's number. `None` means the first replica.
        replica: Option<u32>,
        port: String,
    },
}

impl ServiceTemplate {
    /// Parses a text. `\{{` is a literal `{{`.
    ///
    /// # Errors
    ///
    /// If something between braces is not a reference. The error's offset counts bytes from the start of the
    /// text.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("{{") {
            let open = at + found;
            if let Some(before) = text[at..open].strip_suffix('\\') {
                literal.push_str(before);
                literal.push_str("{{");
                at = open + 2;
                continue;
            }
            literal.push_str(&text[at..open]);
            let Some(length) = text[open + 2..].find("}}") else {
                return Err(TemplateError {
                    message: "unclosed `{{`".to_owned(),
                    hint: Some(r"close it with `}}`; for a literal `{{` write `\{{`".to_owned()),
                    offset: open,
                });
            };
            let inside = &text[open + 2..open + 2 + length];
            let reference = reference(inside.trim()).ok_or_else(|| TemplateError {
                message: format!("invalid reference to a service: `{{{{{inside}}}}}`"),
                hint: Some(
                    "use `{{store.api}}`, `{{broker.1.kafka}}`, `{{self.host}}`, \
                    `{{self.port.kafka}}`, `{{replica}}` or `{{run_id}}`"
                        .to_owned(),
                ),
                offset: open,
            })?;
            if !literal.is_empty() {
                parts.push(ReferencePart::Text(std::mem::take(&mut literal)));
            }
            parts.push(ReferencePart::Reference(reference));
            at = open + 2 + length + 2;
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            parts.push(ReferencePart::Text(literal));
        }
        Ok(Self { source: text.to_owned(), parts })
    }

    /// A text that is not parsed for references.
    pub fn plain(text: impl Into<String>) -> Self {
        let source: String = text.into();
        let parts = if source.is_empty() { Vec::new() } else { vec![ReferencePart::Text(source.clone())] };
        Self { source, parts }
    }

    /// The same template, printed as the file has it, with `${VAR}` instead of values.
    #[must_use]
    pub fn shown_as(self, source: impl Into<String>) -> Self {
        Self { source: source.into(), ..self }
    }

    /// The references in the text, in order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().filter_map(|part| match part {
            ReferencePart::Text(_) => None,
            ReferencePart::Reference(reference) => Some(reference),
        })
    }

    /// The text with each reference replaced.
    pub fn resolve(&self, mut with: impl FnMut(&Reference) -> String) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                ReferencePart::Text(text) => text.clone(),
                ReferencePart::Reference(reference) => with(reference),
            })
            .collect()
    }

    /// Whether it refers to any service.
    pub fn has_service(&self) -> bool {
        self.references().any(|reference| matches!(reference, Reference::Service { .. }))
    }

    /// Whether it refers to the service of this name.
    pub fn refers_to(&self, name: &str) -> bool {
        self.references()
            .any(|reference| matches!(reference, Reference::Service { service, .. } if service == name))
    }

    /// Whether it consists of one reference and nothing else.
    pub fn is_only_a_reference(&self) -> bool {
        matches!(self.parts.as_slice(), [ReferencePart::Reference(_)])
    }

    /// The text, if it contains no references.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [ReferencePart::Text(text)] => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for ServiceTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl fmt::Debug for ServiceTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replica => f.write_str("{{replica}}"),
            Self::RunId => f.write_str("{{run_id}}"),
            Self::SelfHost => f.write_str("{{self.host}}"),
            Self::SelfPort(port) => write!(f, "{{{{self.port.{port}}}}}"),
            Self::Service { service, replica: None, port } => write!(f, "{{{{{service}.{port}}}}}"),
            Self::Service { service, replica: Some(replica), port } => {
                write!(f, "{{{{{service}.{replica}.{port}}}}}")
            }
        }
    }
}

fn reference(inside: &str) -> Option<Reference> {
    let name = |text: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        (!text.is_empty() && text.chars().all(good)).then(|| text.to_owned())
    };
    let parts: Vec<&str> = inside.split('.').map(str::trim).collect();
    match parts.as_slice() {
        ["replica"] => Some(Reference::Replica),
        ["run_id"] => Some(Reference::RunId),
        ["self", "host"] => Some(Reference::SelfHost),
        ["self", "port", port] => Some(Reference::SelfPort(name(port)?)),
        ["self", ..] => None,
        [service, port] => {
            Some(Reference::Service { service: name(service)?, replica: None, port: name(port)? })
        }
        [service, replica, port] => Some(Reference::Service {
            service: name(service)?,
            replica: Some(replica.parse().ok()?),
            port: name(port)?,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", near in "[a-z.{}\\\\ 0-9]{0,30}") {
            for text in [text, near] {
                if let Ok(wired) = ServiceTemplate::parse(&text) {
                    // The parsed text equals the written text, except for spaces and escaping backslashes.
                    let back = wired.resolve(ToString::to_string);
                    prop_assert!(text.contains(['\\', ' ']) || back == text || text.contains(".0"), "{text} {back}");
                }
            }
        }
    }

    #[test]
    fn references_are_found_and_replaced() {
        let wired = ServiceTemplate::parse(
            r"tcp://{{self.host}}:{{ self.port.kafka }}/{{store.api}}/{{broker.1.kafka}}/{{replica}}\{{x}}",
        )
        .expect("good");
        let mut seen = Vec::new();
        let text = wired.resolve(|reference| {
            seen.push(reference.clone());
            format!("<{}>", seen.len())
        });
        assert_eq!(text, "tcp://<1>:<2>/<3>/<4>/<5>{{x}}");
        assert_eq!(wired.references().count(), 5);
        assert_eq!(
            seen[3],
            Reference::Service { service: "broker".into(), replica: Some(1), port: "kafka".into() }
        );
    }

    #[test]
    fn what_the_environment_gave_is_not_printed() {
        let wired = ServiceTemplate::parse("hunter2").expect("good").shown_as("${PASSWORD}");
        assert_eq!(format!("{wired} {wired:?}"), "${PASSWORD} \"${PASSWORD}\"");
        assert_eq!(
            (wired.constant(), wired.resolve(|_| String::new())),
            (Some("hunter2"), "hunter2".to_owned())
        );
        let text = "{{a.b}}{{a.1.b}}{{self.host}}{{self.port.x}}{{replica}}{{run_id}}";
        let references: String =
            ServiceTemplate::parse(text).expect("good").references().map(ToString::to_string).collect();
        assert_eq!(references, text);
    }

    #[test]
    fn what_is_no_reference_is_an_error_at_its_place() {
        for (text, offset) in [("a{{uuid}}", 1), ("{{self.kafka}}", 0), ("ab{{x", 2), ("{{a.b.c}}", 0)] {
            assert_eq!(ServiceTemplate::parse(text).expect_err(text).offset, offset, "{text}");
        }
    }
}
