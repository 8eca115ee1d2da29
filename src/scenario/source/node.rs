//! The parsed values of a file, each with its position. YAML and JSON both become nodes.
//!
//! Values are found by JSON pointer.

use std::path::PathBuf;

use serde_json::Value as Json;

use super::diagnostics::Diagnostic;
use super::position::{Position, Span};
use crate::scenario::source::scalar as plain;

/// A value and its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Position of the value.
    pub span: Span,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// One value.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the file's order, with unique keys.
    Mapping(Vec<Member>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub key: String,
    /// Position of the key.
    pub span: Span,
    pub node: Node,
}

/// A scalar: its text and the value that the text represents.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// The text, after variables are replaced.
    pub text: String,
    /// Null, a boolean, a number or a string.
    pub value: Json,
    /// Written without quotes, so that the text determines the type.
    pub plain: bool,
    /// The text as the file has it, if variables were replaced in it.
    pub source: Option<String>,
    /// It contains a variable that could not be replaced, which is already reported.
    pub faulty: bool,
    /// It contains a secret from the environment.
    pub secret: bool,
}

/// A parsed file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The path as given.
    pub path: PathBuf,
    /// The text as read.
    pub text: String,
    pub root: Node,
}

impl Scalar {
    /// A scalar without quotes: its text determines its type.
    pub fn plain(text: String) -> Self {
        Self { value: plain::meaning(&text), text, plain: true, source: None, faulty: false, secret: false }
    }

    /// A quoted string or a block scalar.
    pub fn quoted(text: String) -> Self {
        Self {
            value: Json::from(text.as_str()),
            text,
            plain: false,
            source: None,
            faulty: false,
            secret: false,
        }
    }
}

impl Node {
    /// The values as JSON, without positions.
    pub fn to_json(&self) -> Json {
        match &self.content {
            Content::Scalar(scalar) => scalar.value.clone(),
            Content::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Content::Mapping(members) => {
                Json::Object(members.iter().map(|m| (m.key.clone(), m.node.to_json())).collect())
            }
        }
    }

    fn child(&self, step: &str) -> Option<(Option<Span>, &Self)> {
        match &self.content {
            Content::Scalar(_) => None,
            Content::Sequence(items) => items.get(step.parse::<usize>().ok()?).map(|node| (None, node)),
            Content::Mapping(members) => {
                members.iter().find(|m| m.key == step).map(|m| (Some(m.span), &m.node))
            }
        }
    }

    /// The value at a JSON pointer, and the position of its key, if it has one.
    pub fn find(&self, pointer: &str) -> Option<(Option<Span>, &Self)> {
        pointer
            .split('/')
            .skip(1)
            .try_fold((None, self), |(_, node), step| node.child(&step.replace("~1", "/").replace("~0", "~")))
    }

    /// Collects the pointers of scalars with a variable that could not be replaced.
    pub fn faulty(&self, pointer: &str, out: &mut Vec<String>) {
        match &self.content {
            Content::Scalar(scalar) if scalar.faulty => out.push(pointer.to_owned()),
            Content::Scalar(_) => {}
            Content::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.faulty(&below(pointer, index), out);
                }
            }
            Content::Mapping(members) => {
                for member in members {
                    member.node.faulty(&below(pointer, &member.key), out);
                }
            }
        }
    }

    /// The scalar at a JSON pointer, mutable.
    pub fn scalar_mut(&mut self, pointer: &str) -> Option<&mut Scalar> {
        let mut node = self;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            node = match &mut node.content {
                Content::Scalar(_) => return None,
                Content::Sequence(items) => items.get_mut(step.parse::<usize>().ok()?)?,
                Content::Mapping(members) => &mut members.iter_mut().find(|m| m.key == step)?.node,
            };
        }
        match &mut node.content {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }
}

/// The pointer of a member or item below another pointer.
pub fn below(pointer: &str, step: impl std::fmt::Display) -> String {
    let step = step.to_string();
    if step.contains(['~', '/']) {
        format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
    } else {
        format!("{pointer}/{step}")
    }
}

impl Document {
    /// Position of the value at a pointer, or of the nearest enclosing value if it does not exist.
    pub fn place(&self, pointer: &str) -> Span {
        self.nearest(pointer).1.span
    }

    /// Position of the key at a pointer, or of the value if it has no key.
    pub fn key_place(&self, pointer: &str) -> Span {
        let (key, node) = self.nearest(pointer);
        key.unwrap_or(node.span)
    }

    fn nearest(&self, mut pointer: &str) -> (Option<Span>, &Node) {
        loop {
            if let Some(found) = self.root.find(pointer) {
                return found;
            }
            pointer = pointer.rsplit_once('/').map_or("", |(front, _)| front);
        }
    }

    /// The scalar at a pointer as the file has it, before variables are replaced.
    pub fn shown(&self, pointer: &str) -> Option<&str> {
        match &self.root.find(pointer)?.1.content {
            Content::Scalar(scalar) => Some(scalar.source.as_ref().unwrap_or(&scalar.text)),
            _ => None,
        }
    }

    /// The scalar at a pointer as text, also if it is a number or boolean: `1.10` keeps its zero.
    pub fn text_of(&self, pointer: &str) -> Option<&str> {
        match &self.root.find(pointer)?.1.content {
            Content::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// Whether variables were replaced in the scalar at a pointer.
    pub fn is_replaced(&self, pointer: &str) -> bool {
        let found = self.root.find(pointer);
        matches!(found, Some((_, Node { content: Content::Scalar(s), .. })) if s.source.is_some())
    }

    /// Whether the scalar at a pointer contains a secret from the environment.
    pub fn is_secret(&self, pointer: &str) -> bool {
        let found = self.root.find(pointer);
        matches!(found, Some((_, Node { content: Content::Scalar(s), .. })) if s.secret)
    }

    /// A position in the form that reports use.
    pub fn position(&self, span: Span) -> Position {
        Position { file: self.path.clone(), line: span.line, column: span.column }
    }

    /// A problem at a position in this file.
    pub fn problem(&self, span: Span, message: impl Into<String>, hint: Option<String>) -> Diagnostic {
        Diagnostic::at(&self.path, &self.text, span, message, hint)
    }
}
