//! `kaf6 init`: a starter scenario and a GitHub workflow that runs it.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::args::InitArgs;
use super::out::print;
use crate::exit::Exit;
use crate::report;

/// Path and content of each file.
const FILES: [(&str, &str); 2] = [
    ("kaf6/smoke.yaml", include_str!("../../templates/init/smoke.yaml")),
    (".github/workflows/kaf6.yml", include_str!("../../templates/init/workflow.yml")),
];

pub(super) fn init(args: &InitArgs) -> anyhow::Result<Exit> {
    // Paths in the current folder are printed without `./`.
    let folder = Path::new(&args.folder);
    let folder = folder.strip_prefix(".").unwrap_or(folder);
    let there: Vec<String> = FILES
        .iter()
        .map(|(name, _)| folder.join(name))
        .filter(|p| p.exists())
        .map(|p| p.display().to_string())
        .collect();
    if !there.is_empty() && !args.force {
        let (be, them) = if there.len() == 1 { ("exists", "it") } else { ("exist", "them") };
        bail!("{} already {be}; use --force to overwrite {them}", there.join(" and "));
    }
    let mut text = String::new();
    for (name, content) in FILES {
        let path = folder.join(name);
        let (parent, file) = name.rsplit_once('/').unwrap_or(("", name));
        report::write_atomically(&folder.join(parent), file, content.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        text.push_str(&format!("wrote {}\n", path.display()));
    }
    let scenario = folder.join(FILES[0].0);
    text.push_str(&format!(
        "\nTo try it without a broker, run: kaf6 run {} --embedded\n",
        scenario.display()
    ));
    print(text.as_bytes())?;
    Ok(Exit::Pass)
}
