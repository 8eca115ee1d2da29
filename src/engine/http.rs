//! One HTTP request: by which proxy it goes, how long it may take, and how much of its answer is kept.

use std::io::Read as _;
use std::time::Duration;

use ureq::http::Uri;

use super::proxy;

/// The most that is read of one answer.
pub(super) const BODY: usize = 16 << 20;

/// An answer.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: String,
    /// The body goes on beyond [`BODY`]; the lines up to there are in `body`, each of them whole.
    pub(super) cut: bool,
}

/// Asks once. `is_own` says that the address is one of the run's own containers, to which no proxy leads.
///
/// # Errors
/// Why there is no answer, with the proxy if one was asked.
pub(super) fn get(url: &str, is_own: bool, timeout: Duration) -> Result<Response, String> {
    let uri: Uri = url.parse().map_err(|error| format!("`{url}` is no address: {error}"))?;
    let chosen = if is_own { None } else { proxy::choose(&uri, |name| std::env::var(name).ok()) };
    let Some(chosen) = chosen else { return ask(&uri, None, timeout) };
    let named = || {
        let host = chosen.url.rsplit_once('@').map_or(chosen.url.as_str(), |(_, host)| host);
        format!("by the proxy {host} of {}", chosen.variable)
    };
    let proxy = ureq::Proxy::new(&chosen.url).map_err(|error| format!("{}: {error}", named()))?;
    if !matches!(proxy.protocol(), ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https) {
        return Err(format!("{}: kaf6 uses HTTP proxies only", named()));
    }
    let host = proxy::host(&uri).unwrap_or_default();
    ask(&uri, Some(proxy), timeout)
        .map_err(|error| format!("{}: {error}; to ask directly, add {host} to NO_PROXY", named()))
}

fn ask(uri: &Uri, proxy: Option<ureq::Proxy>, timeout: Duration) -> Result<Response, String> {
    let tls = ureq::tls::TlsConfig::builder().provider(ureq::tls::TlsProvider::NativeTls).build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .proxy(proxy)
        .http_status_as_error(false)
        .user_agent(concat!("kaf6/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .into();
    let seconds = (timeout.as_secs_f64() * 10.0).round() / 10.0;
    let late = |what: &str| format!("{what} within {seconds} s");
    let mut answer = agent.get(uri).call().map_err(|error| match error {
        ureq::Error::Timeout(_) => late("no answer"),
        ureq::Error::ConnectProxyFailed(reason) => reason,
        other => other.to_string(),
    })?;
    let mut body = Vec::new();
    let most = BODY as u64 + 1;
    answer.body_mut().as_reader().take(most).read_to_end(&mut body).map_err(|error| {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(ureq::Error::Timeout(_)) => late("the answer was not complete"),
            _ => format!("reading the body: {error}"),
        }
    })?;
    let cut = body.len() > BODY;
    if cut {
        // The last line is part of one.
        let end = body.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        body.truncate(end);
    }
    Ok(Response { status: answer.status().as_u16(), body: String::from_utf8_lossy(&body).into_owned(), cut })
}
