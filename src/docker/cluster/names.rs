//! Names of a run's network, containers and volumes.
//!
//! A name is also a host name, which limits its length.

/// Maximum length of a label of a host name.
const LONGEST: usize = 63;

pub(crate) fn network(run_id: &str) -> String {
    fit(&format!("kaf6-{run_id}"), "")
}

pub(crate) fn container(run_id: &str, service: &str, replica: u32) -> String {
    fit(&format!("kaf6-{run_id}"), &format!("-{service}-{replica}"))
}

pub(crate) fn volume(run_id: &str, service: &str, replica: u32, name: &str) -> String {
    // A volume's name is not a host name, so `name` is not shortened, and long names stay unique.
    format!("{}-{}", container(run_id, service, replica), clean(name))
}

/// The marker of a container that a fault stopped or paused.
pub(crate) fn marker(run_id: &str, container_id: &str) -> String {
    let short: String = container_id.chars().take(12).collect();
    fit("kaf6-heal", &format!("-{}-{short}", checksum(run_id)))
}

/// The name that other containers of the run use for a service, or for one of several replicas.
pub(crate) fn alias(service: &str, replica: u32, several: bool) -> String {
    if several { format!("{service}-{replica}") } else { service.to_owned() }
}

/// Shortens a long name and keeps it unique: the removed part is replaced by its checksum.
fn fit(head: &str, tail: &str) -> String {
    let whole = format!("{}{}", clean(head), clean(tail));
    if whole.len() <= LONGEST {
        return whole;
    }
    let sum = checksum(&whole);
    let tail = clean(tail);
    let room = LONGEST - sum.len() - 1;
    if tail.len() + "kaf6-".len() <= room {
        format!("{}-{sum}{tail}", &clean(head)[..room - tail.len()])
    } else {
        format!("{}-{sum}", &whole[..room])
    }
}

/// Replaces all characters except those that Docker allows: letters, digits, `_`, `.` and `-`.
fn clean(text: &str) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '-' };
    text.chars().map(good).collect()
}

fn checksum(text: &str) -> String {
    format!("{:08x}", crc_fast::crc32_iscsi(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whose_they_are() {
        assert_eq!(network("20260116-145402-7f3a"), "kaf6-20260116-145402-7f3a");
        assert_eq!(container("r", "broker", 2), "kaf6-r-broker-2");
        assert_eq!(volume("r", "broker", 2, "data"), "kaf6-r-broker-2-data");
        assert_eq!(alias("broker", 0, false), "broker");
        assert_eq!(alias("broker", 0, true), "broker-0");
    }

    #[test]
    fn long_names_are_shortened_and_stay_unlike() {
        let (a, b) = ("a".repeat(80), format!("{}b", "a".repeat(79)));
        for (one, other) in [
            (container(&a, "broker", 0), container(&b, "broker", 0)),
            (container("r", &a, 0), container("r", &b, 0)),
            (network(&a), network(&b)),
        ] {
            assert!(one.len() <= LONGEST && other.len() <= LONGEST, "{one} {other}");
            assert_ne!(one, other);
        }
        assert!(container(&a, "broker", 3).ends_with("-broker-3"));
        assert_eq!(container("ä b", "c", 0), "kaf6---b-c-0");
    }
}
