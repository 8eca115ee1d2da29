//! Tests the content of `junit.xml`, and validates it with the schema of Jenkins.

use std::path::Path;
use std::process::Command;

use kaf6::report::junit::{junit, merge};
use quick_xml::events::Event;

use crate::faulted::faulted;
use crate::{fixtures, parts};

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn fail() {
    insta::assert_snapshot!(text(junit(&fixtures::fail()).unwrap()));
}

#[test]
fn inconclusive() {
    insta::assert_snapshot!(text(junit(&fixtures::error()).unwrap()));
}

#[test]
fn open_account() {
    insta::assert_snapshot!(text(junit(&fixtures::open()).unwrap()));
}

/// No case fails, and the run does: by a broken promise that no check is about, or by how a scenario ended.
#[test]
fn it_is_never_greener_than_the_run() {
    let mut run = fixtures::fail();
    for row in &mut run.check_results {
        row.result = kaf6::report::summary::CheckOutcome::Pass;
    }
    let xml = text(junit(&run).unwrap());
    let case = xml.split_once(r#"<testcase name="account" classname="durability""#).unwrap().1;
    assert!(case.contains("<failure ") && case.contains("orders[1] offset 301"), "{case}");
    assert!(xml.contains(r#"failures="1""#) && !xml.contains(r#"<testcase name="run""#), "{xml}");
    run.status = kaf6::report::summary::RunStatus::Error;
    run.accounts = fixtures::pass().accounts;
    let xml = text(junit(&run).unwrap());
    assert!(xml.contains(r#"<testcase name="run""#) && xml.contains(r#"errors="1""#), "{xml}");
}

#[test]
fn under_faults() {
    insta::assert_snapshot!(text(junit(&faulted()).unwrap()));
}

/// The class and name of each case.
fn pairs(xml: &str) -> Vec<(String, String)> {
    let part = |line: &str, key: &str| {
        let rest = line.split_once(&format!(" {key}=\"")).unwrap().1;
        rest.split('"').next().unwrap().to_owned()
    };
    let cases = xml.lines().filter(|line| line.trim_start().starts_with("<testcase "));
    cases.map(|line| (part(line, "classname"), part(line, "name"))).collect()
}

#[test]
fn no_two_cases_have_the_same_class_and_name() {
    let at = |path: &str| {
        let mut run = fixtures::fail();
        run.source.path = path.to_owned();
        run
    };
    // Names that equal those of other cases after a scenario is appended.
    let mut odd = at("odd.yaml");
    odd.name = "odd".to_owned();
    let mut row = odd.check_results[0].clone();
    row.name = format!("{} [{}]", row.name, row.scenario.clone().unwrap_or_default());
    odd.check_results.insert(0, row.clone());
    odd.check_results.push(odd.check_results[1].clone());
    row.name = "account".to_owned();
    odd.check_results.push(row);
    let xml = text(merge(&[at("a/smoke.yaml"), at("b/smoke.yaml"), at("b/smoke.yaml"), odd]).unwrap());
    let pairs = pairs(&xml);
    let distinct: std::collections::HashSet<_> = pairs.iter().collect();
    assert_eq!(distinct.len(), pairs.len(), "{pairs:#?}");
    assert!(pairs[0].0.ends_with(" (a/smoke)"), "{pairs:#?}");
}

#[test]
fn merged_files_count_all() {
    let xml = text(merge(&[fixtures::pass(), fixtures::fail(), fixtures::error()]).unwrap());
    let root = xml.lines().nth(1).unwrap();
    assert_eq!(root, r#"<testsuites name="kaf6" tests="20" failures="3" errors="5" time="56.474">"#);
    assert_eq!(xml.matches("<testsuite ").count(), 3);
}

#[test]
fn a_run_without_checks_is_still_a_case() {
    let mut run = fixtures::error();
    run.check_results.clear();
    let xml = text(junit(&run).unwrap());
    assert!(xml.contains(r#"tests="1""#) && xml.contains("<error "), "{xml}");
}

#[test]
fn hostile_texts_keep_it_well_formed() {
    let xml = text(junit(&fixtures::hostile()).unwrap());
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(legal));
    let mut reader = quick_xml::Reader::from_str(&xml);
    let mut cases = 0;
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(e) | Event::Empty(e) => {
                assert!(e.attributes().all(|a| a.is_ok()));
                cases += usize::from(e.name().as_ref() == "testcase");
            }
            _ => {}
        }
    }
    assert_eq!(cases, fixtures::hostile().check_results.len() + 1, "each check, and the account");
}

/// Jenkins' xunit plugin, from its own schema: `scripts/lab-junit-xsd.sh` fetches it.
#[test]
fn jenkins_schema_accepts_it() {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lab/junit-10.xsd");
    let xsd = std::env::var_os("KAF6_JUNIT_XSD").map_or(default, Into::into);
    let xmllint = Command::new("xmllint").arg("--version").output().is_ok_and(|o| o.status.success());
    if !xsd.is_file() || !xmllint {
        let missing =
            if xmllint { format!("{} (see KAF6_JUNIT_XSD)", xsd.display()) } else { "xmllint".to_owned() };
        parts::skip("junit-xsd", &missing);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let all = [fixtures::pass(), fixtures::fail(), fixtures::error(), fixtures::big(), fixtures::hostile()];
    for (i, run) in all.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{i}.xml")), junit(run).unwrap()).unwrap();
    }
    std::fs::write(folder.path().join("merged.xml"), merge(&all).unwrap()).unwrap();
    std::fs::write(folder.path().join("none.xml"), merge(&[]).unwrap()).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 7);
    for file in &files {
        let out = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .arg(&xsd)
            .arg(file)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    // The schema rejects invalid documents.
    let wrong = folder.path().join("wrong.xml");
    std::fs::write(&wrong, "<testsuites><testsuite><testcase/></testsuite></testsuites>").unwrap();
    let out = Command::new("xmllint").args(["--noout", "--schema"]).arg(&xsd).arg(&wrong).output().unwrap();
    assert!(!out.status.success());
}
