//! Registry credentials stored by `docker login`.
//!
//! Reads Docker's configuration. Its contents are sent to the Docker Engine only, and never printed.

use std::path::PathBuf;

use bollard::auth::DockerCredentials;
use serde_json::Value;

/// The key of Docker Hub in Docker's configuration.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The credential helper for an image's registry, if there is one.
pub(crate) fn helper(image: &str) -> Option<String> {
    helper_in(&config()?, image)
}

fn helper_in(config: &str, image: &str) -> Option<String> {
    let config: Value = serde_json::from_str(config).ok()?;
    let registry = registry(image);
    let mut helpers = config.get("credHelpers").and_then(Value::as_object).into_iter().flatten();
    let own = helpers.find(|(server, _)| host(server) == host(registry)).map(|(_, helper)| helper);
    own.or_else(|| config.get("credsStore")).and_then(Value::as_str).map(str::to_owned)
}

/// The credentials for an image's registry; `None` if there are none, or if a helper has them.
pub(crate) fn of_image(image: &str) -> Option<DockerCredentials> {
    read(&config()?, image)
}

fn config() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    std::fs::read_to_string(folder(&set)?.join("config.json")).ok()
}

/// The registry in an image's name; `None` for Docker Hub.
pub(crate) fn named_registry(image: &str) -> Option<&str> {
    Some(registry(image)).filter(|registry| *registry != DOCKER_HUB && host(registry) != host(DOCKER_HUB))
}

/// The folder of Docker's configuration. `set` reads an environment variable.
pub(crate) fn folder(set: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let home = || Some(PathBuf::from(set("HOME")?).join(".docker"));
    set("DOCKER_CONFIG").map(PathBuf::from).or_else(home)
}

fn read(config: &str, image: &str) -> Option<DockerCredentials> {
    let config: Value = serde_json::from_str(config).ok()?;
    let registry = registry(image);
    let auths = config.get("auths")?.as_object()?;
    let (server, entry) = auths.iter().find(|(server, _)| host(server) == host(registry))?;
    let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let token = text("identitytoken").map(str::to_owned);
    let plain =
        text("auth").and_then(|auth| String::from_utf8(openssl::base64::decode_block(auth).ok()?).ok());
    let (username, password) = plain.as_deref().and_then(|plain| plain.split_once(':')).unzip();
    if token.is_none() && username.is_none() {
        return None;
    }
    Some(DockerCredentials {
        username: username.map(str::to_owned),
        password: password.filter(|_| token.is_none()).map(|text| text.trim_end_matches('\0').to_owned()),
        identitytoken: token,
        serveraddress: Some(server.clone()),
        ..DockerCredentials::default()
    })
}

/// The registry of an image; Docker Hub if its name has none.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => DOCKER_HUB,
    }
}

/// The host of a registry, in any notation.
fn host(server: &str) -> &str {
    let bare = server.trim_start_matches("https://").trim_start_matches("http://");
    let host = bare.split('/').next().unwrap_or(bare);
    if host == "docker.io" { "index.docker.io" } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `me:pa:ss` and `bot:x`, in the format of `docker login`.
    const CONFIG: &str = r#"{"auths": {
        "ghcr.io": {"auth": "bWU6cGE6c3M="},
        "https://index.docker.io/v1/": {"auth": "Ym90Ong="},
        "kept.by.a.helper": {},
        "token.example": {"auth": "Ym90Ong=", "identitytoken": "t"},
        "broken.example": {"auth": "???"}
    }, "credsStore": "desktop"}"#;

    #[test]
    fn each_registry_has_its_own() {
        let of = |image: &str| {
            let found = read(CONFIG, image)?;
            Some((found.username?, found.password, found.identitytoken))
        };
        let plain = |name: &str, password: &str| Some((name.to_owned(), Some(password.to_owned()), None));
        assert_eq!(of("ghcr.io/kafscale/kafscale-broker:v1.6.0"), plain("me", "pa:ss"));
        assert_eq!(of("redis:7"), plain("bot", "x"));
        assert_eq!(of("docker.io/library/redis:7"), plain("bot", "x"));
        assert_eq!(of("token.example/a"), Some(("bot".into(), None, Some("t".into()))));
        for none in ["quay.io/minio/minio", "kept.by.a.helper/x", "broken.example/x", "localhost:5000/x"] {
            assert_eq!(of(none), None, "{none}");
        }
        assert_eq!(helper_in(CONFIG, "ghcr.io/x").as_deref(), Some("desktop"));
        let own = r#"{"credHelpers": {"ghcr.io": "gh"}}"#;
        assert_eq!(helper_in(own, "ghcr.io/x").as_deref(), Some("gh"));
        assert_eq!(helper_in(own, "quay.io/x"), None);
        assert_eq!((named_registry("docker.io/redis"), named_registry("redis")), (None, None));
        assert_eq!(named_registry("localhost:5000/x"), Some("localhost:5000"));
        assert!(read("no json", "redis").is_none() && read("{}", "redis").is_none());
    }
}
