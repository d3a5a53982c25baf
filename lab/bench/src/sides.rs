//! B is a server and a client at once, and HTTP/2's functions serve both: whose share of each is whose, by who calls them.

use std::collections::BTreeMap;

use crate::callgrind::Profile;

/// Names that only the side of the server has.
const SERVER: [&str; 3] = ["hyper::proto::h2::server", "hyper_util::server", "h2::server::"];
/// Names that only the side of the client has.
const CLIENT: [&str; 3] = ["hyper::proto::h2::client", "h2::client::", "hyper::client"];
/// Enough for shares to get from a connection to the deepest function.
const STEPS: usize = 60;

/// The server's share of each function, from 0 to 1, as gprof tells it: that of its callers, each by what it costs on the callers' behalf.
pub fn server_shares(profile: &Profile) -> BTreeMap<&str, f64> {
    let mut callers: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
    for ((caller, callee), cost) in profile.calls.iter().filter(|((caller, callee), _)| caller != callee) {
        callers.entry(callee).or_default().push((caller, *cost));
    }
    // Where nothing is known yet, half is as good as any share.
    let mut shares: BTreeMap<&str, f64> =
        profile.own.keys().map(|name| (name.as_str(), known(name).unwrap_or(0.5))).collect();
    callers.retain(|callee, _| known(callee).is_none());
    for _ in 0..STEPS {
        for (callee, callers) in &callers {
            let all: f64 = callers.iter().map(|(_, cost)| cost).sum();
            let of_server = callers.iter().map(|(caller, cost)| cost * shares.get(caller).unwrap_or(&0.5)).sum::<f64>();
            if all > 0.0 {
                shares.insert(callee, of_server / all);
            }
        }
    }
    shares
}

fn known(function: &str) -> Option<f64> {
    let is_one_of = |names: [&str; 3]| names.iter().any(|name| function.contains(name));
    match () {
        () if is_one_of(SERVER) => Some(1.0),
        () if is_one_of(CLIENT) => Some(0.0),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_of_both_sides_is_shared_as_its_callers_use_it() {
        let own = ["hyper_util::server::poll", "h2::client::poll", "h2::poll", "h2::encode"];
        let calls = [(0, 2, 300.0), (1, 2, 100.0), (2, 3, 50.0)];
        let profile = Profile {
            own: own.map(|name| (name.to_owned(), 1.0)).into(),
            calls: calls.map(|(one, other, cost)| ((own[one].to_owned(), own[other].to_owned()), cost)).into(),
            ..Profile::default()
        };
        assert_eq!(server_shares(&profile)["h2::encode"], 0.75);
    }
}
