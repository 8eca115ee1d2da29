//! Commands that only read and print: `validate`, `plan`, `report`, `schema` and `preset`.

use std::io::IsTerminal as _;

use anyhow::Context as _;

use super::args::{FileArgs, Format, ReportArgs, SchemaName};
use super::out::{print, say, style};
use crate::app::{self, Files, WrongFiles};
use crate::exit::Exit;
use crate::plan::Plan;
use crate::plan::render::timeline;
use crate::report::summary::Summary;
use crate::report::terminal::{no_commands, safe, wants_colour};
use crate::report::{self, console, json as summary_json};
use crate::scenario::Diagnostic;
use crate::scenario::environment::preset;
use crate::scenario::format::schema;
use crate::scenario::source::diagnostics::render_warnings;

pub(super) fn validate(args: &FileArgs) -> anyhow::Result<Exit> {
    let files = app::expand(&args.files)?;
    match app::load(&files.files, &args.overrides()) {
        Ok(plans) => {
            warn_of(&files, &plans);
            let lines: String =
                plans.iter().map(|plan| format!("{}\n", timeline::validate_line(plan))).collect();
            print(clean(&lines).as_bytes())?;
            Ok(Exit::Pass)
        }
        Err(wrong) => Ok(complain_of(&wrong)),
    }
}

pub(super) fn plan(args: &FileArgs) -> anyhow::Result<Exit> {
    let files = app::expand(&args.files)?;
    match app::load(&files.files, &args.overrides()) {
        Ok(plans) => {
            warn_of(&files, &plans);
            let texts: Vec<String> = plans.iter().map(timeline::render).collect();
            print(clean(&texts.join("\n")).as_bytes())?;
            Ok(Exit::Pass)
        }
        Err(wrong) => Ok(complain_of(&wrong)),
    }
}

/// Removes control sequences and commands to the GitHub runner from lines with texts of a file.
fn clean(text: &str) -> String {
    no_commands(&text.lines().map(|line| format!("{}\n", safe(line))).collect::<String>())
}

/// Prints warnings about valid files and about the command line that named them.
pub(super) fn warn_of(files: &Files, plans: &[Plan]) {
    let colour = wants_colour(std::io::stderr().is_terminal(), |name| std::env::var(name).ok());
    let repeated = files.repeated.iter().map(|file| {
        Diagnostic::of_file(file, "listed more than once on the command line; kaf6 uses it once", None)
    });
    let mut text = render_warnings(&repeated.collect::<Vec<_>>(), colour);
    text.extend(plans.iter().map(|plan| render_warnings(&plan.warnings, colour)));
    if !text.is_empty() {
        say(&text);
    }
}

/// Prints all problems of all files.
pub(super) fn complain_of(wrong: &WrongFiles) -> Exit {
    let colour = wants_colour(std::io::stderr().is_terminal(), |name| std::env::var(name).ok());
    let texts: Vec<String> = wrong.0.iter().map(|file| file.render(colour)).collect();
    say(&texts.join("\n"));
    Exit::Input
}

pub(super) fn report(args: &ReportArgs) -> anyhow::Result<Exit> {
    let (summary, written) = report::render_again(&args.folder)?;
    for file in written {
        file.result.with_context(|| format!("cannot write {}", file.path.display()))?;
    }
    let text = match args.format {
        Format::Table => console::render(&summary, style(), Some(&args.folder)).into_bytes(),
        Format::Json => json(&[summary])?,
    };
    print(&text)?;
    Ok(Exit::Pass)
}

/// One summary as its file, several as a JSON array.
pub(super) fn json(summaries: &[Summary]) -> anyhow::Result<Vec<u8>> {
    if let [one] = summaries {
        return Ok(summary_json::to_json(one)?);
    }
    let mut text = serde_json::to_vec_pretty(summaries)?;
    text.push(b'\n');
    Ok(text)
}

pub(super) fn schema(which: SchemaName) -> anyhow::Result<Exit> {
    let text = match which {
        SchemaName::Scenario => schema::scenario_text().into_bytes(),
        SchemaName::Summary => summary_json::summary_schema()?,
    };
    print(&text)?;
    Ok(Exit::Pass)
}

pub(super) fn preset(name: Option<&str>) -> anyhow::Result<Exit> {
    let text = match name {
        Some(name) => preset::text(name).with_context(|| format!("unknown preset `{name}`"))?.to_owned(),
        None => preset::names().map(|name| format!("{name}\n")).collect(),
    };
    print(text.as_bytes())?;
    Ok(Exit::Pass)
}
