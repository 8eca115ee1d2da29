//! Explains why an image cannot be pulled: missing, private, rate-limited, for another platform, registry
//! unreachable, disk full.
//!
//! Recognizes the errors of Docker, Podman and registries, and says what to do.

/// The problem, and the advice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PullRefusal {
    pub what: String,
    pub remedy: String,
}

/// An image, its registry, and the service that needs it.
pub(crate) struct WantedImage<'a> {
    /// The registry's name; `None` for Docker Hub.
    pub registry: Option<&'a str>,
    /// The platform of the Docker host.
    pub platform: &'a str,
    /// The credential helper that stores the login. kaf6 does not call it.
    pub helper: Option<&'a str>,
}

/// Errors that mean that a login is missing or wrong.
const LOGIN: [&str; 7] = [
    "unauthorized",
    "authentication required",
    "no basic auth credentials",
    "denied",
    "forbidden",
    "incorrect username or password",
    "invalid username/password",
];
const RATE: [&str; 3] = ["toomanyrequests", "too many requests", "rate limit"];
const GONE: [&str; 5] =
    ["manifest unknown", "name unknown", "not found", "repository does not exist", "unknown: artifact"];
const PLATFORM: [&str; 3] = [
    "no matching manifest",
    "no image found in image index for architecture",
    "does not match the specified platform",
];
const SPACE: [&str; 2] = ["no space left on device", "disk quota exceeded"];
const UNREACHABLE: [&str; 14] = [
    ": eof",
    "no such host",
    "connection refused",
    "connection reset",
    "i/o timeout",
    "timeout exceeded",
    "tls handshake timeout",
    "network is unreachable",
    "no route to host",
    "server misbehaving",
    "temporary failure in name resolution",
    "proxyconnect",
    "x509:",
    "server gave http response to https client",
];

pub(crate) fn read(reason: &str, wanted: &WantedImage<'_>) -> PullRefusal {
    // This is a permission error for files on the Docker host, not in the registry.
    let said = reason.to_lowercase().replace("permission denied", "");
    let says = |words: &[&str]| words.iter().any(|words| said.contains(words));
    let registry = wanted.registry.unwrap_or("Docker Hub");
    let refusal = |what: String, remedy: String| PullRefusal { what, remedy };
    let before = "docker pull it before kaf6 runs, and set pull: never in the file";
    if says(&SPACE) {
        let remedy =
            "free disk space: docker system df shows the usage, docker image prune removes unused images";
        return refusal("the Docker host's disk is full".to_owned(), remedy.to_owned());
    }
    if says(&RATE) {
        return refusal(
            format!("{registry} limits the number of pulls, and this pull exceeded the limit (429)"),
            format!("wait, log in ({}), use a mirror, or {before}", login(wanted)),
        );
    }
    if says(&PLATFORM) {
        let host = wanted.platform;
        return refusal(
            format!("{registry} has the image, but not for the Docker host's platform, {host}"),
            format!("use an image that is built for {host}"),
        );
    }
    if says(&LOGIN) {
        // Without a login, Docker Hub does not distinguish private images from missing ones.
        let what = if said.contains("does not exist") {
            format!("{registry} has no such image, or only users with access can see it")
        } else {
            format!("it is private: {registry} requires a login with access to it")
        };
        return refusal(what, format!("check its name; {}, or {before}", login(wanted)));
    }
    // Checked before "not found", because an unknown host is also reported as not found.
    if says(&UNREACHABLE) {
        return refusal(
            format!("the Docker host cannot reach {registry}"),
            format!("check the registry's name, the network and proxy of the Docker host, or {before}"),
        );
    }
    if says(&GONE) {
        return refusal(
            format!("{registry} has no such image"),
            "check its name and its tag; it may have been removed from the registry".to_owned(),
        );
    }
    refusal(
        format!("{registry} or the Docker Engine failed"),
        format!("try docker pull by hand, or {before}"),
    )
}

/// How to log in. Only the `docker` command uses a login that a helper stores.
fn login(wanted: &WantedImage<'_>) -> String {
    let command = match wanted.registry {
        Some(registry) => format!("docker login {registry}"),
        None => "docker login".to_owned(),
    };
    match wanted.helper {
        Some(helper) => format!(
            "{command} was stored by docker-credential-{helper}, which kaf6 \
        does not use"
        ),
        None => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GHCR: WantedImage<'_> =
        WantedImage { registry: Some("ghcr.io"), platform: "linux/amd64", helper: None };

    /// The error texts of Docker 20.10, 24 and 28, containerd, Podman and registries.
    #[test]
    fn the_reasons_are_told_apart() {
        for (said, what) in [
            ("toomanyrequests: You have reached your pull rate limit. You may increase the limit", "(429)"),
            ("reading manifest 1 in docker.io/a/b: toomanyrequests: You have reached", "(429)"),
            ("unexpected status from GET request to https://a/v2/: 429 Too Many Requests", "(429)"),
            ("unauthorized: authentication required", "it is private"),
            ("Head \"https://ghcr.io/v2/a/b/manifests/1\": denied: denied", "it is private"),
            ("Head \"https://x/v2/a/manifests/1\": no basic auth credentials", "it is private"),
            (
                "failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden",
                "it is private",
            ),
            (
                "pull access denied for a/b, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                "has no such image, or only users with access can see it",
            ),
            ("manifest for ghcr.io/a/b:1 not found: manifest unknown: manifest unknown", "has no such image"),
            ("failed to resolve reference \"ghcr.io/a/b:1\": ghcr.io/a/b:1: not found", "has no such image"),
            (
                "repository ghcr.io/a/b not found: name unknown: repository name not known",
                "has no such image",
            ),
            (
                "no matching manifest for linux/amd64 in the manifest list entries",
                "not for the Docker host's platform",
            ),
            ("pinging container registry ghcr.io: Get \"https://ghcr.io/v2/\": EOF", "cannot reach ghcr.io"),
            (
                "Get \"https://ghcr.io/v2/\": dial tcp: lookup ghcr.io on 10.0.0.1:53: no such host",
                "cannot reach ghcr.io",
            ),
            ("Get \"https://ghcr.io/v2/\": dial tcp 1.2.3.4:443: i/o timeout", "cannot reach ghcr.io"),
            (
                "Get \"https://ghcr.io/v2/\": x509: certificate signed by unknown authority",
                "cannot reach ghcr.io",
            ),
            ("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", "disk is full"),
            ("received unexpected HTTP status: 500 Internal Server Error", "or the Docker Engine failed"),
        ] {
            let read = read(said, &GHCR);
            assert!(read.what.contains(what), "{said}: {read:?}");
        }
    }

    #[test]
    fn the_remedy_names_the_registry_and_who_keeps_the_login() {
        let private = "unauthorized: authentication required";
        assert!(read(private, &GHCR).remedy.contains("docker login ghcr.io, or docker pull"));
        let hub = WantedImage { registry: None, helper: Some("desktop"), ..GHCR };
        let read = read(private, &hub);
        assert!(read.what.contains("Docker Hub"), "{read:?}");
        assert!(
            read.remedy.contains("docker login was stored by docker-credential-desktop, which"),
            "{read:?}"
        );
    }
}
