//! Secrets written literally in a file: client passwords, passwords in URLs, and entries of `secrets`.
//!
//! They are hidden like secrets from the environment. Each causes a warning, because files are usually in a
//! repository.

use super::secrets::{HIDDEN, Secrets, is_secret};
use crate::scenario::source::diagnostics::Diagnostic;
use crate::scenario::source::node::{Content, Document, Node, below};

/// Adds each literal secret of a document.
pub(crate) fn add(document: &Document, secrets: &mut Secrets) {
    visit(&document.root, "", &mut |_, _, secret| secrets.add(secret, HIDDEN, &[]));
}

/// One warning per literal secret.
pub(crate) fn warnings(document: &Document) -> Vec<Diagnostic> {
    let mut found: Vec<String> = Vec::new();
    visit(&document.root, "", &mut |pointer, node, _| {
        let is_written = matches!(&node.content, Content::Scalar(scalar) if scalar.source.is_none());
        if is_written && found.last().is_none_or(|last| last != pointer) {
            found.push(pointer.to_owned());
        }
    });
    let warning = |pointer: String| {
        let hint = Some("use `${NAME}` instead, and set NAME in the environment".to_owned());
        document.problem(document.place(&pointer), "the file contains a secret", hint)
    };
    found.into_iter().map(warning).collect()
}

/// Masks values of secret keys in the quoted line of a file that cannot be parsed, because its secrets are
/// unknown.
pub(crate) fn blot(problem: &mut Diagnostic) {
    let Some(place) = &mut problem.place else { return };
    let mut out = String::new();
    let mut rest = place.text.as_str();
    while let Some((before, after)) = rest.split_once(':') {
        out.push_str(before);
        out.push(':');
        let key =
            before.rsplit(['{', ',', ' ', '"', '\'', '[']).find(|word| !word.is_empty()).unwrap_or_default();
        let end = if is_secret(key) { after.find([',', '}']).unwrap_or(after.len()) } else { 0 };
        out.extend(after[..end].chars().map(|c| if c.is_whitespace() { c } else { '*' }));
        rest = &after[end..];
    }
    out.push_str(rest);
    place.text = out;
}

/// Calls `take` with each secret, its scalar and the scalar's pointer.
fn visit(node: &Node, pointer: &str, take: &mut dyn FnMut(&str, &Node, &str)) {
    match &node.content {
        Content::Scalar(scalar) => {
            let mut steps = pointer.rsplit('/');
            let (key, above) = (steps.next().unwrap_or_default(), steps.next().unwrap_or_default());
            let is_listed = above == "secrets" && pointer.matches('/').count() == 2;
            let is_one = match above {
                "security" => key == "password",
                "properties" => is_secret(key) || key == "sasl.jaas.config",
                _ => is_listed,
            };
            if is_one {
                take(pointer, node, &scalar.text);
            } else if key == "url" || key == "metrics_url" {
                in_address(&scalar.text).into_iter().for_each(|secret| take(pointer, node, secret));
            }
        }
        Content::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                visit(item, &below(pointer, index), take);
            }
        }
        Content::Mapping(members) => {
            for member in members {
                visit(&member.node, &below(pointer, &member.key), take);
            }
        }
    }
}

/// The password in a URL, and the values of parameters with secret-looking names.
fn in_address(url: &str) -> Vec<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let parameters = query.split('&').filter_map(|pair| pair.split_once('='));
    let secret = parameters.filter(|(name, _)| is_secret(name)).map(|(_, value)| value);
    password.into_iter().chain(secret).filter(|secret| !secret.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::{blot, in_address};
    use crate::scenario::source::diagnostics::Diagnostic;
    use crate::scenario::source::position::Span;

    #[test]
    fn a_line_that_is_no_yaml_shows_no_secret() {
        for (line, shown) in [
            ("client: {security: {password: \"hunter 2}}", "client: {security: {password: ******* *}}"),
            ("  ssl.key.password: a: b", "  ssl.key.password: ** *"),
            ("  'api_key': x, url: http://a:1", "  'api_key': *, url: http://a:1"),
            ("a: [b", "a: [b"),
        ] {
            let span = Span { line: 1, column: 1, width: 1 };
            let mut problem = Diagnostic::at("f".as_ref(), line, span, "no", None);
            blot(&mut problem);
            assert_eq!(problem.place.unwrap().text, shown);
        }
    }

    #[test]
    fn addresses_hold_passwords_and_tokens() {
        assert_eq!(
            in_address("http://user:pass-word@host:1/m?token=abc&x=1&api_key=def#y"),
            ["pass-word", "abc", "def"]
        );
        assert!(in_address("http://host/a@b:c?x=1").is_empty());
        assert!(in_address("http://user@host").is_empty());
    }
}
