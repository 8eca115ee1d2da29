//! Docker's current context, as set by `docker context use`: where Docker listens if `DOCKER_HOST` is not
//! set.

use std::path::PathBuf;

use serde_json::Value;

use super::credentials;
use crate::docker::DockerError;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DockerContext {
    pub name: String,
    /// The address, in the format of `DOCKER_HOST`.
    pub host: String,
}

/// The current context; `None` for the default. `set` reads an environment variable.
pub(crate) fn current(set: &dyn Fn(&str) -> Option<String>) -> Result<Option<DockerContext>, DockerError> {
    let Some(folder) = credentials::folder(set) else { return Ok(None) };
    let config = || -> Option<String> {
        let config: Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join("config.json")).ok()?).ok()?;
        Some(config.get("currentContext")?.as_str()?.to_owned())
    };
    let name = set("DOCKER_CONTEXT").or_else(config).filter(|name| !name.is_empty() && name != "default");
    let Some(name) = name else { return Ok(None) };
    let wrong = |reason: &str| DockerError::Context { name: name.clone(), reason: reason.to_owned() };
    let (meta, its_folder) =
        find(&folder.join("contexts/meta"), &name).ok_or_else(|| wrong("does not exist"))?;
    let docker = meta.pointer("/Endpoints/docker");
    let host = docker.and_then(|docker| docker.get("Host")?.as_str()).filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| wrong("does not name Docker's address"))?.to_owned();
    let skips = docker.and_then(|docker| docker.get("SkipTLSVerify")?.as_bool()).unwrap_or(false);
    let certificates = folder.join("contexts/tls").join(its_folder).join("docker");
    if (skips || certificates.is_dir()) && !host.starts_with("unix://") {
        return Err(wrong("requires TLS, which kaf6 does not support for Docker"));
    }
    Ok(Some(DockerContext { name, host }))
}

/// The metadata of a context, and the path of its folder, whose name is a hash.
fn find(contexts: &std::path::Path, name: &str) -> Option<(Value, PathBuf)> {
    std::fs::read_dir(contexts).ok()?.flatten().find_map(|entry| {
        let text = std::fs::read_to_string(entry.path().join("meta.json")).ok()?;
        let meta: Value = serde_json::from_str(&text).ok()?;
        (meta.get("Name")?.as_str()? == name).then(|| (meta, PathBuf::from(entry.file_name())))
    })
}

#[cfg(test)]
mod tests {

    fn with(contexts: &[(&str, &str)], current: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: String| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("config.json", format!("{{\"currentContext\": \"{current}\"}}"));
        for (number, (name, host)) in contexts.iter().enumerate() {
            let meta =
                format!("{{\"Name\": \"{name}\", \"Endpoints\": {{\"docker\": {{\"Host\": \"{host}\"}}}}}}");
            write(&format!("contexts/meta/{number}/meta.json"), meta);
        }
        folder
    }

    fn current(folder: &tempfile::TempDir, chosen: Option<&str>) -> Result<Option<String>, String> {
        let set = |name: &str| match name {
            "DOCKER_CONFIG" => Some(folder.path().display().to_string()),
            "DOCKER_CONTEXT" => chosen.map(str::to_owned),
            _ => None,
        };
        super::current(&set).map(|context| context.map(|it| it.host)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_current_context_says_where_docker_listens() {
        let all = [("colima", "unix:///c.sock"), ("far", "ssh://me@far"), ("none", "")];
        let folder = with(&all, "colima");
        assert_eq!(current(&folder, None), Ok(Some("unix:///c.sock".to_owned())));
        assert_eq!(current(&folder, Some("far")), Ok(Some("ssh://me@far".to_owned())));
        assert_eq!(current(&folder, Some("default")), Ok(None));
        assert!(current(&folder, Some("none")).unwrap_err().contains("does not name Docker's address"));
        assert!(current(&folder, Some("gone")).unwrap_err().contains("`gone` does not exist"));
        std::fs::create_dir_all(folder.path().join("contexts/tls/1/docker")).unwrap();
        assert!(current(&folder, Some("far")).unwrap_err().contains("TLS"));
        assert_eq!(current(&with(&all, ""), None), Ok(None));
        let tls =
            r#"{"Name": "tls", "Endpoints": {"docker": {"Host": "tcp://far:2376", "SkipTLSVerify": true}}}"#;
        std::fs::write(folder.path().join("contexts/meta/0/meta.json"), tls).unwrap();
        assert!(current(&folder, Some("tls")).unwrap_err().contains("TLS"));
    }
}
