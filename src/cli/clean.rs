//! `kaf6 clean`: removes leftovers of killed runs from Docker and lists them.

use super::args::CleanArgs;
use super::out::{complain, print, say};
use crate::docker::clean as sweep;
use crate::docker::{CleanOptions, Cleaned};
use crate::exit::Exit;

pub(super) fn clean(args: &CleanArgs) -> anyhow::Result<Exit> {
    let options = CleanOptions { run: args.run.clone(), force: args.force, dry_run: args.dry_run };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cleaned = match runtime.block_on(sweep(&options)) {
        Ok(cleaned) => cleaned,
        Err(error) => {
            complain(&error.to_string());
            return Ok(Exit::NotJudged);
        }
    };
    print(page(&cleaned, args.dry_run).as_bytes())?;
    for failed in &cleaned.failed {
        say(&format!("not removed: {failed}"));
    }
    // If `--run` names a run that is kept, the command did not do what was requested.
    let refused = args.run.is_some() && !cleaned.kept.is_empty();
    Ok(if refused || !cleaned.failed.is_empty() { Exit::NotJudged } else { Exit::Pass })
}

fn page(cleaned: &Cleaned, dry_run: bool) -> String {
    let word = if dry_run { "would remove" } else { "removed" };
    let mut lines: Vec<String> = cleaned.done.iter().map(|thing| format!("{word}: {thing}\n")).collect();
    lines.extend(cleaned.kept.iter().map(|kept| format!("kept: {kept}\n")));
    if lines.is_empty() && cleaned.failed.is_empty() {
        return "nothing to remove\n".to_owned();
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said_in_lines() {
        let cleaned = Cleaned {
            done: vec!["network kaf6-a".into()],
            kept: vec!["run b: its kaf6 still runs".into()],
            failed: Vec::new(),
        };
        assert_eq!(page(&cleaned, false), "removed: network kaf6-a\nkept: run b: its kaf6 still runs\n");
        assert!(page(&cleaned, true).starts_with("would remove: network kaf6-a\n"));
        assert_eq!(page(&Cleaned::default(), false), "nothing to remove\n");
    }
}
