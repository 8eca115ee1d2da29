//! Tests the Action as the GitHub runner starts it, from action.yml and the Dockerfile, with the runner's mounts, variables and
//! files. Verifies outputs, step summary and annotations.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::faults::cluster::{example, of_run, on_memory, over_s3};
use crate::image::image;

/// A runner with its folders, as it mounts them into a container action.
struct Runner {
    image: String,
    action: Value,
    home: TempDir,
}

/// What a step came to.
#[derive(Debug)]
struct Step {
    code: Option<i32>,
    log: String,
    outputs: BTreeMap<String, String>,
    summary: String,
}

impl Runner {
    /// None where Docker or the images are missing.
    fn new() -> Option<Self> {
        let image = image()?;
        let text = fs::read_to_string(root().join("action.yml")).expect("action.yml is there");
        let action = serde_yaml::from_str(&text).expect("action.yml is YAML");
        let home = tempfile::tempdir().expect("a folder");
        for folder in ["workspace", "home", "workflow", "commands"] {
            fs::create_dir(home.path().join(folder)).expect("the folder is made");
        }
        Some(Self { image, action, home })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// Writes a file of the checked-out repository.
    fn file(&self, name: &str, text: &str) {
        fs::write(self.path("workspace").join(name), text).expect("the file is written");
    }

    /// Runs the action with these inputs, as one step of a job.
    fn step(&self, with: &[(&str, &str)]) -> Step {
        let files = ["output", "summary", "state", "env", "path"];
        for file in files {
            fs::write(self.path("commands").join(file), "").expect("the file is made");
        }
        let mut inputs: BTreeMap<String, String> = BTreeMap::new();
        for (name, input) in self.action["inputs"].as_object().expect("there are inputs") {
            inputs.insert(name.clone(), input["default"].as_str().unwrap_or_default().to_owned());
        }
        for (name, value) in with {
            assert!(inputs.insert((*name).to_owned(), (*value).to_owned()).is_some(), "{name} is an input");
        }
        let runs = &self.action["runs"];
        let mut env: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in runs["env"].as_object().expect("there is env") {
            env.insert(name.clone(), filled(value.as_str().expect("a text"), &inputs));
        }
        for (name, value) in &inputs {
            env.insert(format!("INPUT_{}", name.to_uppercase().replace(' ', "_")), value.clone());
        }
        for (name, value) in [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_WORKSPACE", "/github/workspace"),
            ("GITHUB_OUTPUT", "/github/file_commands/output"),
            ("GITHUB_STEP_SUMMARY", "/github/file_commands/summary"),
            ("GITHUB_STATE", "/github/file_commands/state"),
            ("GITHUB_ENV", "/github/file_commands/env"),
            ("GITHUB_PATH", "/github/file_commands/path"),
            ("HOME", "/github/home"),
        ] {
            env.insert(name.to_owned(), value.to_owned());
        }
        let mut command = Command::new("docker");
        command.args(["run", "--rm", "--workdir", "/github/workspace"]);
        for (name, value) in &env {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        for (from, to) in [
            ("workspace", "/github/workspace"),
            ("home", "/github/home"),
            ("workflow", "/github/workflow"),
            ("commands", "/github/file_commands"),
        ] {
            command.arg("--volume").arg(format!("{}:{to}", self.path(from).display()));
        }
        command.args(["--volume", "/var/run/docker.sock:/var/run/docker.sock", &self.image]);
        command
            .args(runs["args"].as_array().expect("a list").iter().map(|arg| arg.as_str().expect("a text")));
        let output = command.output().expect("docker starts");
        let read =
            |file: &str| fs::read_to_string(self.path("commands").join(file)).expect("the file is there");
        Step {
            code: output.status.code(),
            log: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
            outputs: outputs(&read("output")),
            summary: read("summary"),
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Root in the container wrote files that this user cannot delete.
        let volume = format!("{}:/home", self.home.path().display());
        let words = [
            "run",
            "--rm",
            "--volume",
            &volume,
            "--entrypoint",
            "sh",
            &self.image,
            "-c",
            "chmod -R a+rwX /home",
        ];
        let _ = Command::new("docker").args(words).output();
    }
}

impl Step {
    fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("there is an output {name}: {self:?}"))
    }

    /// The lines of the log that mark an error: file, line and message.
    fn errors(&self) -> Vec<(String, usize, String)> {
        let of = |properties: &str, name: &str| {
            let found = properties.split(',').find_map(|property| property.strip_prefix(&format!("{name}=")));
            found.unwrap_or_default().to_owned()
        };
        let errors = self.log.lines().filter_map(|line| line.strip_prefix("::error ")?.split_once("::"));
        errors
            .map(|(properties, message)| {
                let line = of(properties, "line").parse().expect("a line");
                (of(properties, "file"), line, message.to_owned())
            })
            .collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An expression of action.yml with the inputs in it replaced.
fn filled(text: &str, inputs: &BTreeMap<String, String>) -> String {
    inputs.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{{ inputs.{name} }}}}"), value)
    })
}

/// Outputs as the runner reads them: a name and its value in a line, or a delimiter and lines up to it.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.lines();
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next() {
        if let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.contains("<<")) {
            found.insert(name.to_owned(), value.to_owned());
            continue;
        }
        let (name, delimiter) = line.split_once("<<").unwrap_or_else(|| panic!("an output, not {line}"));
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        found.insert(name.to_owned(), value.join("\n"));
    }
    found
}

/// The line of a text that holds this.
fn line_of(text: &str, part: &str) -> usize {
    1 + text.lines().position(|line| line.contains(part)).expect("it is in the text")
}

#[test]
#[ignore = "builds the Action's image, which takes minutes"]
fn a_green_step_tells_all_outputs() {
    let Some(runner) = Runner::new() else { return };
    runner.file("smoke.yaml", &fs::read_to_string(root().join("examples/smoke.yaml")).expect("it is there"));
    let step = runner.step(&[("files", "smoke.yaml"), ("embedded", "true"), ("run-id", "green")]);
    assert_eq!(step.code, Some(0), "{step:?}");
    let declared: Vec<&String> = runner.action["outputs"].as_object().expect("outputs").keys().collect();
    for name in declared {
        assert!(step.outputs.contains_key(name), "{name} is set: {step:?}");
    }
    assert_eq!((step.output("status"), step.output("checks-failed")), ("pass", "0"));
    assert_eq!(step.output("report-dir"), "reports/green");
    let summary: Value = serde_json::from_str(step.output("json")).expect("the summary is JSON");
    assert_eq!(summary["scenarios"]["consumer"]["received"], 1000);
    for output in ["summary", "html", "junit"] {
        assert!(runner.path("workspace").join(step.output(output)).is_file(), "{output} is where it says");
    }
    assert!(
        step.summary.contains("✅ smoke: pass") && step.summary.contains("reports/green/report.html"),
        "{}",
        step.summary
    );
    assert_eq!(step.errors(), []);
    assert!(step.log.contains("::group::") && step.log.contains("::endgroup::"), "{}", step.log);
}

#[test]
#[ignore = "builds the Action's image, which takes minutes"]
fn a_red_step_marks_the_line_of_each_failed_check() {
    let Some(runner) = Runner::new() else { return };
    let text = "name: red\nbrokers: embedded\ntopics: [{name: t}]\nscenarios:\n  write: {type: produce, messages: 10}\n  read: {type: consume}\nchecks:\n  - name: more_than_there_are\n    type: count_equals\n    expected: 11\n  - {type: count_at_least, expected: 10}\n";
    runner.file("red.yaml", text);
    let step = runner.step(&[("files", "red.yaml")]);
    assert_eq!(
        (step.code, step.output("status"), step.output("checks-failed")),
        (Some(1), "fail", "1"),
        "{step:?}"
    );
    let errors = step.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((errors[0].0.as_str(), errors[0].1), ("red.yaml", line_of(text, "more_than_there_are")));
    assert!(errors[0].2.contains("expected 11, got 10"), "{errors:?}");
    assert!(step.summary.contains("❌ red: fail"), "{}", step.summary);

    // The outputs of a failed run show `fail`, even if the step must not fail.
    let step = runner.step(&[
        ("files", "red.yaml"),
        ("fail-on", "never"),
        ("annotations", "false"),
        ("summary", "false"),
    ]);
    assert_eq!((step.code, step.output("status")), (Some(0), "fail"), "{step:?}");
    assert!(step.errors().is_empty() && step.summary.is_empty(), "{step:?}");

    // An invalid file is annotated at the position of its problem.
    runner.file("wrong.yaml", "scenarios:\n  write: {type: produce, mesages: 10}\n");
    let step = runner.step(&[("files", "wrong.yaml")]);
    assert_eq!((step.code, step.output("status")), (Some(2), "error"), "{step:?}");
    assert!(step.errors().iter().any(|(file, line, _)| file == "wrong.yaml" && *line == 2), "{step:?}");
}

#[test]
#[ignore = "builds the Action's image, which takes minutes"]
fn s4_with_the_socket_is_green_over_a_store_and_red_on_memory() {
    let Some(runner) = Runner::new() else { return };
    let (Some(store), Some(memory)) = (over_s3(), on_memory()) else { return };
    runner.file("s4.yaml", &example("durability.yaml", &store));
    let step = runner.step(&[("files", "s4.yaml"), ("run-id", "runner-s4")]);
    assert_eq!((step.code, step.output("status")), (Some(0), "pass"), "{step:?}");
    assert!(step.summary.contains("restart broker"), "{}", step.summary);
    assert_eq!(of_run("runner-s4"), Vec::<String>::new());

    let text = example("durability.yaml", &memory).replace("when: \"write.acked >= 20\"", "after: write");
    runner.file("forgets.yaml", &text);
    let step = runner.step(&[("files", "forgets.yaml"), ("run-id", "runner-forgets")]);
    assert_eq!((step.code, step.output("status")), (Some(1), "fail"), "{step:?}");
    let place = ("forgets.yaml".to_owned(), line_of(&text, "type: no_loss"));
    assert!(step.errors().iter().any(|(file, line, _)| (file.clone(), *line) == place), "{step:?}");
    assert_eq!(of_run("runner-forgets"), Vec::<String>::new());
}
