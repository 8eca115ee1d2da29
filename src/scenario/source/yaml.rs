//! Parses YAML into values with positions: one document, unique keys, limited depth and limited alias
//! expansion.
//!
//! The parser processes events with an explicit stack, so that no file can overflow the call stack.

use std::collections::HashMap;
use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as YamlSpan};

use super::diagnostics::{Diagnostic, PROBLEMS_MAX};
use super::node::{Content, Member, Node, Scalar};
use super::position::Span;
use crate::units::thousands;

/// Maximum nesting depth of lists and mappings.
pub const DEPTH_MAX: usize = 64;

/// Maximum number of values in a file after alias expansion. The limit on their text in bytes follows.
pub const VALUES_MAX: usize = 5_000;
const BYTES_MAX: usize = 4 << 20;

/// A list or mapping that is not yet closed.
struct Open {
    node: Node,
    /// The key whose value comes next.
    key: Option<(String, Span)>,
    anchor: usize,
    depth_below: usize,
}

/// What a node adds to the limits when an alias repeats it.
#[derive(Clone, Copy, Default)]
struct Cost {
    values: usize,
    bytes: usize,
}

struct YamlReader<'a> {
    path: &'a Path,
    text: &'a str,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, Cost, usize)>,
    spent: Cost,
    problems: Vec<Diagnostic>,
}

/// Parses a text. Returns all problems that can be found in one pass.
pub fn read(path: &Path, text: &str) -> Result<Node, Vec<Diagnostic>> {
    let mut reader = YamlReader {
        path,
        text,
        open: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        spent: Cost::default(),
        problems: Vec::new(),
    };
    if let Err(problem) = reader.run() {
        reader.problems.push(*problem);
    }
    match reader.root {
        Some(root) if reader.problems.is_empty() => Ok(root),
        None if reader.problems.is_empty() => Err(vec![Diagnostic::of_file(
            path,
            "the file is empty",
            Some("to create an example, run `kaf6 init`".into()),
        )]),
        _ => Err(reader.problems),
    }
}

impl YamlReader<'_> {
    fn problem(&self, span: Span, message: impl Into<String>, hint: Option<&str>) -> Box<Diagnostic> {
        Box::new(Diagnostic::at(self.path, self.text, span, message, hint.map(str::to_owned)))
    }

    fn run(&mut self) -> Result<(), Box<Diagnostic>> {
        let mut parser = Parser::new_from_str(self.text);
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                let mark = error.marker();
                let span = Span { line: mark.line().max(1), column: mark.col() + 1, width: 1 };
                // The parser has a limit for what it reads ahead.
                if error.info().contains("recursion limit") {
                    return self.too_deep(span);
                }
                let line = self.text.lines().nth(span.line - 1).unwrap_or_default();
                let blank = line.len() - line.trim_start().len();
                let hint = if line[..blank].contains('\t') {
                    Some("indent YAML with spaces, not with tabs")
                } else if line.contains("${") {
                    Some(
                        "inside `{...}` and `[...]`, put `${...}` in quotes, because YAML interprets the braces",
                    )
                } else if line.contains("{{") {
                    Some("quote each value that begins with `{{`, and each value with `{{` inside `{...}` or `[...]`")
                } else if error.info().contains("mapping values are not allowed") {
                    Some("check the indentation of this line, or quote the value if it contains `: `")
                } else {
                    None
                };
                self.problem(span, format!("invalid YAML: {}", error.info()), hint)
            })?;
            let span = place(span);
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(self.problem(
                            span,
                            "a second document begins here",
                            Some("put each document in a separate file; `kaf6 run` accepts several files"),
                        ));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    self.no_tag(tag.is_some(), span)?;
                    let scalar = if style == ScalarStyle::Plain {
                        Scalar::plain(text.into_owned())
                    } else {
                        Scalar::quoted(text.into_owned())
                    };
                    self.scalar(scalar, anchor, span)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    self.no_tag(tag.is_some(), span)?;
                    self.begin(Content::Sequence(Vec::new()), anchor, span)?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.no_tag(tag.is_some(), span)?;
                    self.begin(Content::Mapping(Vec::new()), anchor, span)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end()?,
                Event::Alias(anchor) => self.alias(anchor, span)?,
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Nothing => {}
            }
        }
        Ok(())
    }

    fn too_deep(&self, span: Span) -> Box<Diagnostic> {
        self.problem(span, format!("lists and mappings are nested more than {DEPTH_MAX} levels deep"), None)
    }

    fn no_tag(&self, tagged: bool, span: Span) -> Result<(), Box<Diagnostic>> {
        if tagged { Err(self.problem(span, "tags (`!...`) are not supported", None)) } else { Ok(()) }
    }

    fn spend(&mut self, cost: Cost, span: Span) -> Result<(), Box<Diagnostic>> {
        self.spent.values += cost.values;
        self.spent.bytes += cost.bytes;
        if self.spent.values > VALUES_MAX || self.spent.bytes > BYTES_MAX {
            let message = format!(
                "with its aliases, the file has more than {} values or {} MiB",
                thousands(VALUES_MAX as u64),
                BYTES_MAX >> 20
            );
            return Err(self.problem(
                span,
                message,
                Some("each alias (`*name`) counts as a copy of the value that it refers to"),
            ));
        }
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar, anchor: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        let cost = Cost { values: 1, bytes: scalar.text.len() };
        self.spend(cost, span)?;
        if let Some(Open { node: Node { content: Content::Mapping(_), .. }, key: key @ None, .. }) =
            self.open.last_mut()
        {
            if scalar.plain && scalar.text == "<<" {
                let hint = "repeat the keys, or use `*name` in place of the whole mapping";
                return Err(self.problem(span, "merge keys (`<<`) are not supported", Some(hint)));
            }
            *key = Some((scalar.text, span));
            return Ok(());
        }
        let node = Node { span, content: Content::Scalar(scalar) };
        self.remember(anchor, &node, cost, 0, span)?;
        self.add(node, 0);
        Ok(())
    }

    fn begin(&mut self, content: Content, anchor: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        self.value_expected(span)?;
        self.spend(Cost { values: 1, bytes: 0 }, span)?;
        if self.open.len() >= DEPTH_MAX {
            return Err(self.too_deep(span));
        }
        self.open.push(Open { node: Node { span, content }, key: None, anchor, depth_below: 0 });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Box<Diagnostic>> {
        let Some(done) = self.open.pop() else { return Ok(()) };
        let depth = done.depth_below + 1;
        if done.anchor > 0 {
            let cost = cost(&done.node);
            self.remember(done.anchor, &done.node, cost, depth, done.node.span)?;
        }
        self.add(done.node, depth);
        Ok(())
    }

    fn remember(
        &mut self,
        anchor: usize,
        node: &Node,
        cost: Cost,
        depth: usize,
        span: Span,
    ) -> Result<(), Box<Diagnostic>> {
        if anchor > 0 {
            // The copy that is kept for aliases also counts. Otherwise nested anchors would not count at all.
            self.spend(cost, span)?;
            self.anchors.insert(anchor, (node.clone(), cost, depth));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        self.value_expected(span)?;
        let Some((_, cost, depth)) = self.anchors.get(&anchor) else {
            return Err(self.problem(span, "an alias cannot refer to a value that contains it", None));
        };
        let (cost, depth) = (*cost, *depth);
        self.spend(cost, span)?;
        if self.open.len() + depth > DEPTH_MAX {
            return Err(self.too_deep(span));
        }
        if let Some((node, ..)) = self.anchors.get(&anchor) {
            let node = node.clone();
            self.add(node, depth);
        }
        Ok(())
    }

    /// Lists, mappings and aliases cannot be keys.
    fn value_expected(&self, span: Span) -> Result<(), Box<Diagnostic>> {
        match self.open.last() {
            Some(Open { node: Node { content: Content::Mapping(_), .. }, key: None, .. }) => Err(self
                .problem(
                    span,
                    "a key must be a string",
                    Some("put a string with braces, such as `{{uuid}}`, in quotes"),
                )),
            _ => Ok(()),
        }
    }

    fn add(&mut self, node: Node, depth: usize) {
        let Some(parent) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        parent.depth_below = parent.depth_below.max(depth);
        match &mut parent.node.content {
            Content::Scalar(_) => {}
            Content::Sequence(items) => items.push(node),
            Content::Mapping(members) => {
                let Some((key, span)) = parent.key.take() else { return };
                // A linear search is fast enough for the few keys of a mapping.
                match members.iter().find(|member| member.key == key) {
                    None => members.push(Member { key, span, node }),
                    Some(_) if self.problems.len() >= PROBLEMS_MAX => {}
                    Some(first) => {
                        let message = format!("duplicate key `{key}`");
                        let hint = format!("the first one is on line {}", first.span.line);
                        self.problems.push(Diagnostic::at(self.path, self.text, span, message, Some(hint)));
                    }
                }
            }
        }
    }
}

/// Recursion is safe, because depth is limited.
fn cost(node: &Node) -> Cost {
    let add = |sum: Cost, one: Cost| Cost { values: sum.values + one.values, bytes: sum.bytes + one.bytes };
    match &node.content {
        Content::Scalar(scalar) => Cost { values: 1, bytes: scalar.text.len() },
        Content::Sequence(items) => items.iter().map(cost).fold(Cost { values: 1, bytes: 0 }, add),
        Content::Mapping(members) => members
            .iter()
            .map(|m| add(cost(&m.node), Cost { values: 1, bytes: m.key.len() }))
            .fold(Cost { values: 1, bytes: 0 }, add),
    }
}

fn place(span: YamlSpan) -> Span {
    let (start, end) = (span.start, span.end);
    let width = if start.line() == end.line() { end.col().saturating_sub(start.col()) } else { 1 };
    Span { line: start.line().max(1), column: start.col() + 1, width: width.max(1) }
}
