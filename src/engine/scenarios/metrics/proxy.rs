//! Selects the proxy of an HTTP request from `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, like
//! curl.

use std::net::IpAddr;

use ureq::http::Uri;

/// A proxy, and the variable that defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) variable: &'static str,
    pub(crate) url: String,
}

/// The proxy for this address; `None` for a direct request. Requests to this machine are always direct.
pub(crate) fn choose(uri: &Uri, env: impl Fn(&str) -> Option<String>) -> Option<Chosen> {
    let host = host(uri)?;
    let names = match uri.scheme_str() {
        Some("https") => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let set = |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let (variable, url) = names.into_iter().find_map(|name| Some((name, set(name)?)))?;
    let without = set("no_proxy").or_else(|| set("NO_PROXY")).unwrap_or_default();
    let mut without = without.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    (!is_this_machine(&host) && !without.any(|entry| covers(entry, &host, port)))
        .then_some(Chosen { variable, url })
}

/// The host of an address, without the brackets of IPv6.
pub(crate) fn host(uri: &Uri) -> Option<String> {
    let host = uri.host()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some(bare.to_ascii_lowercase())
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Whether an entry of `no_proxy` matches this host: `*`, a domain with its subdomains, an address or a
/// range, each with an optional port.
fn covers(entry: &str, host: &str, port: u16) -> bool {
    let entry = entry.to_ascii_lowercase();
    if entry == "*" {
        return true;
    }
    if let Some((base, bits)) = entry.split_once('/') {
        let range = base.trim_matches(['[', ']']).parse::<IpAddr>().ok().zip(bits.parse::<u32>().ok());
        return range.zip(host.parse().ok()).is_some_and(|((base, bits), host)| is_in(host, base, bits));
    }
    let (name, its_port) = match entry.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => match digits.parse() {
            Ok(number) => (name, Some(number)),
            Err(_) => (entry.as_str(), None),
        },
        _ => (entry.as_str(), None),
    };
    let name = name.trim_matches(['[', ']']);
    if its_port.is_some_and(|its: u16| its != port) {
        return false;
    }
    if let (Ok(a), Ok(b)) = (name.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        return a == b;
    }
    let name = name.strip_prefix('*').unwrap_or(name).trim_matches('.');
    let host = host.trim_end_matches('.');
    !name.is_empty() && (host == name || host.strip_suffix(name).is_some_and(|front| front.ends_with('.')))
}

/// Whether an address shares its first `bits` bits with `base`.
fn is_in(ip: IpAddr, base: IpAddr, bits: u32) -> bool {
    let (ip, base, width) = match (ip, base) {
        (IpAddr::V4(ip), IpAddr::V4(base)) => (u128::from(ip.to_bits()), u128::from(base.to_bits()), 32),
        (IpAddr::V6(ip), IpAddr::V6(base)) => (ip.to_bits(), base.to_bits(), 128),
        _ => return false,
    };
    // `checked_shr` by the full width of the type returns `None`.
    bits <= width && (ip ^ base).checked_shr(width - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    fn choose(url: &str, set: &[(&str, &str)]) -> Option<String> {
        let env = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        super::choose(&url.parse().unwrap(), env).map(|it| format!("{} {}", it.variable, it.url))
    }

    #[test]
    fn the_scheme_chooses_the_variable() {
        let all = [("HTTP_PROXY", "p:1"), ("HTTPS_PROXY", "p:2")];
        assert_eq!(choose("http://far:9/m", &all).as_deref(), Some("HTTP_PROXY p:1"));
        assert_eq!(choose("https://far/m", &all).as_deref(), Some("HTTPS_PROXY p:2"));
        assert_eq!(choose("http://far", &all[1..]), None, "HTTPS_PROXY is not for http");
        assert_eq!(choose("http://far", &[("ALL_PROXY", "p:3")]).as_deref(), Some("ALL_PROXY p:3"));
        assert_eq!(choose("http://far", &[("http_proxy", " ")]), None);
    }

    #[test]
    fn this_machine_is_always_asked_directly() {
        for url in [
            "http://127.0.0.1:1/x",
            "http://localhost",
            "https://[::1]:9/",
            "http://127.8.8.8",
            "http://a.localhost",
        ] {
            assert_eq!(
                choose(url, &[("ALL_PROXY", "p:1"), ("http_proxy", "p:1"), ("https_proxy", "p:1")]),
                None,
                "{url}"
            );
        }
    }

    #[test]
    fn no_proxy_has_names_ranges_and_ports() {
        let direct =
            |url: &str, without: &str| choose(url, &[("http_proxy", "p:1"), ("NO_PROXY", without)]).is_none();
        for (url, without) in [
            ("http://a.example.com", "example.com"),
            ("http://example.com", "x, .example.com"),
            ("http://a.example.com", "*.EXAMPLE.com"),
            ("http://broker:9090/x", "broker"),
            ("http://broker:9090/x", "broker:9090"),
            ("http://10.1.2.3", "10.0.0.0/8"),
            ("http://10.1.2.3", "10.1.2.3"),
            ("http://[fd00::1]:3", "fd00::/8"),
            ("http://[fd00::1]:3", "[fd00::1]:3"),
            ("http://[fd00::1]:3", "fd00::1"),
            ("http://any", "*"),
            ("http://1.2.3.4", "0.0.0.0/0"),
        ] {
            assert!(direct(url, without), "{url} {without}");
        }
        for (url, without) in [
            ("http://badexample.com", "example.com"),
            ("http://broker:9090/x", "broker:9091"),
            ("http://11.1.2.3", "10.0.0.0/8"),
            ("http://10.1.2.3", "10.0.0.0/40"),
            ("http://far", "10.0.0.0/8"),
            ("http://far", ""),
        ] {
            assert!(!direct(url, without), "{url} {without}");
        }
    }
}
