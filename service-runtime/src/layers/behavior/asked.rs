//! Whose business an entry of `rpc-behavior` is: told by its hop alone, for a peer may know words that this service does not.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::entry::{self, Behavior};
use crate::{identity::Identity, status::Refusal};

/// What a caller asks of the services on its call's way.
pub const RPC_BEHAVIOR: HeaderName = HeaderName::from_static("rpc-behavior");

/// What the `rpc-behavior` of one call asks of this service, and what of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// A comma list, without the hops.
    own: String,
    /// A comma list, as it came.
    others: String,
    too_long: bool,
    last: bool,
}

impl Asked {
    /// Sorts the entries: `hop=<name>` is for the service of that name, an entry without a hop for the end of the chain.
    pub fn read(headers: &HeaderMap, identity: &Identity) -> Self {
        if !headers.contains_key(RPC_BEHAVIOR) {
            return Asked::default();
        }
        // What is not ASCII is an entry too, one that cannot be read; the service that it is for will say so.
        let values = headers.get_all(RPC_BEHAVIOR).iter().map(|value| value.to_str().unwrap_or("?"));
        let list = values.collect::<Vec<_>>().join(",");
        let last = identity.behind().is_none();
        let mut asked = Asked { too_long: !entry::fits(&list), last, ..Asked::default() };
        for entry in entry::entries(&list) {
            match hop(entry) {
                Some((name, rest)) if name == identity.name() => push(&mut asked.own, rest),
                None if last => push(&mut asked.own, entry),
                _ => push(&mut asked.others, entry),
            }
        }
        asked
    }

    /// Whether nothing is asked of anybody.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.others.is_empty()
    }

    /// What this service is to do. Errors: an entry of its own that it cannot read, or a list that is too long.
    pub fn own(&self) -> Result<Vec<Behavior>, Refusal> {
        let own = if self.too_long { None } else { entry::read(&self.own) };
        own.ok_or(Refusal::BadRpcBehavior)
    }

    /// What goes on to the peer, whatever it is: the peer judges.
    pub fn others(&self) -> Option<HeaderValue> {
        Some(&self.others).filter(|others| !others.is_empty()).and_then(|others| HeaderValue::try_from(others).ok())
    }

    /// Whether something is not done: it is for this service, which does not obey, or for a service that is not on the way.
    pub fn is_ignored(&self, obeys: bool) -> bool {
        !self.own.is_empty() && !obeys || !self.others.is_empty() && self.last
    }
}

/// The service that an entry names, and what it is to do.
fn hop(entry: &str) -> Option<(&str, &str)> {
    let (name, rest) = entry.strip_prefix("hop=")?.split_once(' ')?;
    Some((name, rest.trim_start()))
}

/// Without a space: the list must not become longer than it came, or it would be over its bounds further on.
fn push(list: &mut String, entry: &str) {
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(entry);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::service_b as b;

    fn a() -> Identity {
        Identity::new("service-a", "echo.v1")
    }

    fn asked(of: &Identity, values: &[&str]) -> Asked {
        let header = |value: &&str| (RPC_BEHAVIOR, HeaderValue::from_str(value).unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in values.iter().map(header) {
            headers.append(name, value);
        }
        Asked::read(&headers, of)
    }

    #[test]
    fn passes_on_what_is_not_its_own_and_the_peer_takes_it_for_its_own() {
        let values = ["sleep-1, hop=service-b  hostname=x keep-open", "hop=service-a nonsense,hop=service-b sleep-2"];
        let at_b = asked(&b(), &values);
        assert_eq!(at_b.own, "hostname=x keep-open,sleep-2");
        let passed_on = at_b.others().unwrap();
        assert_eq!(passed_on, "sleep-1,hop=service-a nonsense");
        let at_a = asked(&a(), &[passed_on.to_str().unwrap()]);
        assert_eq!((at_a.own.as_str(), at_a.others()), ("sleep-1,nonsense", None));
    }

    #[test]
    fn leaves_what_it_cannot_read_to_whom_it_is_for() {
        for bad in ["grüße", "hop=service-b", "hop=", "nonsense"] {
            let at_b = asked(&b(), &[bad]);
            assert_eq!(at_b.own(), Ok(Vec::new()), "{bad}");
            let at_a = asked(&a(), &[at_b.others().unwrap().to_str().unwrap()]);
            assert_eq!(at_a.own(), Err(Refusal::BadRpcBehavior), "{bad}");
        }
    }

    #[test]
    fn refuses_a_list_that_is_too_long_wherever_it_is_for() {
        let b = b();
        assert_eq!(asked(&b, &["sleep-1"; 16]).own(), Ok(Vec::new()));
        assert_eq!(asked(&b, &["sleep-1"; 17]).own(), Err(Refusal::BadRpcBehavior));
        assert_eq!(asked(&b, &[&"x".repeat(1025)]).own(), Err(Refusal::BadRpcBehavior));
        assert_eq!(asked(&b, &["sleep-1"; 17]).others().unwrap().len(), 17 * 8 - 1);
    }

    #[test]
    fn takes_the_longest_list_by_way_of_another_service_too() {
        let longest = format!("{0},{0},hostname={1} sleep-1", "sleep-1", "x".repeat(1024 - 33));
        let at_b = asked(&b(), &[&longest]);
        let passed_on = at_b.others().unwrap();
        assert_eq!((longest.len(), passed_on.to_str().unwrap()), (1024, longest.as_str()));
        let at_a = asked(&a(), &[&longest]);
        assert_eq!(at_a.own().map(|own| own.len()), Ok(3));
    }

    #[test]
    fn is_ignored_where_nobody_obeys() {
        let (a, b) = (a(), b());
        let ignored = |of: &Identity, value: &str| [true, false].map(|obeys| asked(of, &[value]).is_ignored(obeys));
        assert_eq!(ignored(&a, "sleep-1"), [false, true]);
        assert_eq!(ignored(&b, "hop=service-b sleep-1"), [false, true]);
        assert_eq!(ignored(&b, "sleep-1"), [false, false]);
        assert_eq!(ignored(&a, "hop=service-b sleep-1"), [true, true]);
        assert_eq!(ignored(&a, ""), [false, false]);
    }
}
