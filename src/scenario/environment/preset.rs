//! Presets: services that come with kaf6, in the same format as `cluster.services`.
//!
//! Also merges a file's services into a preset, before schema validation.

use std::path::Path;

use crate::scenario::source::node::{Content, Document, Member, Node};
use crate::scenario::source::position::Span;
use crate::scenario::source::yaml;

/// Name and text of each preset.
const PRESETS: [(&str, &str); 2] = [
    ("kafscale", include_str!("../../../templates/presets/kafscale.yaml")),
    ("tansu", include_str!("../../../templates/presets/tansu.yaml")),
];

pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    PRESETS.iter().map(|(name, _)| *name)
}

/// The text of a preset, as `kaf6 preset` prints it.
pub fn text(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Merges the services of a document into those of its preset. Values from the preset get the position of
/// `preset` in the file. Does nothing if the preset is unknown; `plan::compile` reports that later.
pub(crate) fn merge(document: &mut Document) {
    let Some((_, preset)) = document.root.find("/cluster/preset") else { return };
    let Content::Scalar(scalar) = &preset.content else { return };
    let Some(file) = scalar.value.as_str().and_then(text) else { return };
    let span = preset.span;
    // A test checks that each preset can be parsed.
    let Ok(root) = yaml::read(Path::new("preset"), file) else { return };
    let Some(mut services) = take(root, "services") else { return };
    place(&mut services, span);
    let Content::Mapping(file) = &mut document.root.content else { return };
    let Some(cluster) = file.iter_mut().find(|member| member.key == "cluster") else { return };
    let Content::Mapping(cluster) = &mut cluster.node.content else { return };
    match cluster.iter_mut().find(|member| member.key == "services") {
        Some(own) => lay(&mut services, &mut own.node),
        None => cluster.push(Member { key: "services".to_owned(), span, node: services }),
    }
}

fn take(node: Node, key: &str) -> Option<Node> {
    let Content::Mapping(members) = node.content else { return None };
    members.into_iter().find(|member| member.key == key).map(|member| member.node)
}

/// Gives a value and everything in it the same position.
fn place(node: &mut Node, span: Span) {
    node.span = span;
    match &mut node.content {
        Content::Scalar(_) => {}
        Content::Sequence(items) => items.iter_mut().for_each(|item| place(item, span)),
        Content::Mapping(members) => {
            for member in members {
                member.span = span;
                place(&mut member.node, span);
            }
        }
    }
}

/// Merges `over` into `base` and stores the result in `over`. Mappings merge, other values replace, and null
/// removes a key of the preset. `ready` always replaces as a whole, because it is a choice of one. Recursion
/// is safe, because the parser limits depth.
fn lay(base: &mut Node, over: &mut Node) {
    let (Content::Mapping(base), Content::Mapping(over)) = (&mut base.content, &mut over.content) else {
        return;
    };
    let mut merged = Vec::new();
    for mut theirs in std::mem::take(base) {
        match over.iter().position(|member| member.key == theirs.key) {
            Some(index) => {
                let mut own = over.remove(index);
                if is_null(&own.node) {
                    continue;
                }
                if own.key != "ready" {
                    lay(&mut theirs.node, &mut own.node);
                }
                merged.push(own);
            }
            None => merged.push(theirs),
        }
    }
    merged.append(over);
    *over = merged;
}

fn is_null(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar(scalar) if scalar.value.is_null())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(text: &str) -> Document {
        let path = Path::new("f.yaml");
        let root = yaml::read(path, text).expect("good YAML");
        let mut document = Document { path: path.to_owned(), text: text.to_owned(), root };
        merge(&mut document);
        document
    }

    #[test]
    fn a_file_is_laid_over_its_preset() {
        let document = merged(
            "cluster:\n  preset: tansu\n  services:\n    broker:\n      image: mine\n      env: {A: b, AWS_DEFAULT_REGION: }\n      \
             ready: {tcp: kafka}\n      command: [x]\n    more: {image: other}\n    store:\n",
        );
        let services = document.root.to_json().pointer("/cluster/services").cloned().expect("services");
        assert_eq!(services.as_object().expect("a mapping").keys().collect::<Vec<_>>(), ["broker", "more"]);
        let broker = &services["broker"];
        assert_eq!((&broker["image"], &broker["command"]), (&json!("mine"), &json!(["x"])));
        assert_eq!(broker["ready"], json!({"tcp": "kafka"}));
        assert_eq!(
            (&broker["env"]["A"], &broker["env"]["STORAGE_ENGINE"]),
            (&json!("b"), &json!("s3://tansu/"))
        );
        assert_eq!(broker["env"].get("AWS_DEFAULT_REGION"), None);
        // Values from the preset have the position of `preset`.
        assert_eq!(document.place("/cluster/services/broker/env/STORAGE_ENGINE").line, 2);
        assert_eq!(document.place("/cluster/services/broker/env/A").line, 6);
    }

    #[test]
    fn what_is_no_preset_changes_nothing() {
        for text in ["a: b", "cluster: x", "cluster: {preset: [a]}", "cluster: {preset: nope, services: {}}"]
        {
            let document = merged(text);
            assert_eq!(document.root, yaml::read(Path::new("f"), text).expect("good"));
        }
        let odd = merged("cluster: {preset: tansu, services: [a]}");
        assert_eq!(odd.root.to_json()["cluster"]["services"], json!(["a"]));
    }

    #[test]
    fn each_preset_can_be_read() {
        for name in names() {
            let document = merged(&format!("cluster: {{preset: {name}}}"));
            assert!(document.root.find("/cluster/services/broker").is_some(), "{name}");
        }
        assert_eq!(text("nope"), None);
    }
}
