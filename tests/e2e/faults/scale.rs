//! Tests S6: brokers are added and removed under load.

use super::cluster::{example, fault, over_s3, run};

#[test]
fn s6_one_three_one_under_load() {
    let Some(cluster) = over_s3() else { return };
    let ran = run(&example("scale-out.yaml", &cluster)).expect("pass");
    for name in ["grow", "shrink"] {
        assert_eq!(fault(&ran, name)["effective"], true, "{ran}");
    }
    assert_eq!((ran.check("metadata_stable"), ran.check("continuity")), ("pass", "pass"), "{ran}");
    assert_eq!(ran.anomaly("lost"), Some(0));
    // Each broker that joined responded itself.
    let watched = ran.summary["watch"]["steady"]["brokers"].as_array().expect("it is a list").clone();
    assert_eq!(watched.len(), 3, "{watched:?}");
    assert!(watched.iter().all(|broker| broker["answered"].as_u64() > Some(0)), "{watched:?}");
}
