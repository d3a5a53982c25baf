//! The vocabulary of `rpc-behavior`: that of gRPC's own interop servers, with a share.
//!
//! `hostname=<instance> sleep-200ms:10%` — the host name and the share may be left out.

use std::time::Duration;

/// What is asked of a call is asked in one header, and takes no more than a look at it.
const MAX_ENTRIES: usize = 16;
const MAX_LENGTH: usize = 1024;
/// Longer is `keep-open`.
const MAX_SLEEP: Duration = Duration::from_secs(3600);

/// What to do with every call, whatever its metadata says: a comma list such as `sleep-3` or `error-code-14:10%`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviors(pub(crate) Vec<Behavior>);

impl std::str::FromStr for Behaviors {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        read(list).filter(|list| !list.is_empty()).map(Behaviors).ok_or_else(|| {
            "expected sleep-<s>, sleep-<n>ms, keep-open, error-code-<n> or succeed-on-retry-attempt-<n>, for a share with :10%"
                .into()
        })
    }
}

/// What to do with a call, how often, and on which instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behavior {
    pub action: Action,
    /// In percent of the calls.
    share: u8,
    /// The only instance that it is meant for.
    hostname: Option<String>,
}

/// What to do with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Wait, then see what else is asked.
    Sleep(Duration),
    /// Never answer.
    KeepOpen,
    /// Answer this code at once; 0 means nothing.
    ErrorCode(i32),
    /// Handle the call if at least this number of attempts went before it.
    SucceedOnRetryAttempt(u32),
}

impl Behavior {
    /// Whether it is for this instance and this call; a share is drawn anew each time.
    pub fn counts(&self, instance: &str) -> bool {
        let here = self.hostname.as_deref().is_none_or(|hostname| hostname == instance);
        here && rand::random_range(0..100) < self.share
    }

    fn read(entry: &str) -> Option<Self> {
        let (hostname, rest) = match entry.strip_prefix("hostname=") {
            None => (None, entry),
            Some(named) => {
                let (name, rest) = named.split_once(' ')?;
                (Some(name.to_owned()), rest.trim_start())
            }
        };
        let (action, share) = match rest.split_once(':') {
            None => (rest, 100),
            Some((action, share)) => (action, number(share.strip_suffix('%')?).filter(|share| *share <= 100)?),
        };
        Some(Behavior { action: Action::read(action)?, share, hostname })
    }
}

impl Action {
    fn read(text: &str) -> Option<Self> {
        if text == "keep-open" {
            return Some(Action::KeepOpen);
        }
        if let Some(n) = text.strip_prefix("error-code-") {
            return number(n).map(Action::ErrorCode);
        }
        if let Some(n) = text.strip_prefix("succeed-on-retry-attempt-") {
            return number(n).map(Action::SucceedOnRetryAttempt);
        }
        let n = text.strip_prefix("sleep-")?;
        let pause = match n.strip_suffix("ms") {
            Some(n) => Duration::from_millis(number(n)?),
            None => Duration::from_secs(number(n)?),
        };
        (pause <= MAX_SLEEP).then_some(Action::Sleep(pause))
    }
}

/// Digits and nothing else: no sign, no space.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The behaviors of a comma list, which may be empty; `None` where one of them cannot be read, or the list is over its bounds.
pub fn read(list: &str) -> Option<Vec<Behavior>> {
    if fits(list) { entries(list).map(Behavior::read).collect() } else { None }
}

/// Whether a list is within its bounds.
pub fn fits(list: &str) -> bool {
    list.len() <= MAX_LENGTH && entries(list).count() <= MAX_ENTRIES
}

/// The entries of a comma list. Empty ones are none. Source: RFC 9110, 5.6.1.
pub fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn always(action: Action) -> Behavior {
        Behavior { action, share: 100, hostname: None }
    }

    #[test]
    fn reads_the_vocabulary_of_the_interop_servers() {
        let list = "sleep-3, sleep-200ms,keep-open , error-code-14,error-code-99,succeed-on-retry-attempt-2,";
        let actions = [
            Action::Sleep(Duration::from_secs(3)),
            Action::Sleep(Duration::from_millis(200)),
            Action::KeepOpen,
            Action::ErrorCode(14),
            Action::ErrorCode(99),
            Action::SucceedOnRetryAttempt(2),
        ];
        assert_eq!(read(list), Some(actions.map(always).to_vec()));
        assert_eq!(read(" , ,"), Some(Vec::new()));
    }

    #[test]
    fn reads_whom_it_is_for_and_how_often() {
        let expected = Behavior { action: Action::ErrorCode(14), share: 10, hostname: Some("a:1".into()) };
        assert_eq!(read("hostname=a:1  error-code-14:10%"), Some(vec![expected]));
    }

    #[test]
    fn refuses_what_is_not_in_the_vocabulary() {
        let bad = "x ? sleep sleep- sleep-ms sleep--1 sleep-+1 sleep-1.5 sleep-1s sleep-1m sleep-１ sleep-1MS Sleep-1 \
                   sleep-3601 sleep-3600001ms sleep-99999999999999999999 keep-open-1 KEEP-OPEN error-code-x error-code-\
                   error-code--1 error-code-2147483648 error-code-14: error-code-14:% error-code-14:10 error-code-14:101% \
                   error-code-14:-1% error-code-14:10%% error-code-14:1:1% :10% succeed-on-retry-attempt-\
                   succeed-on-retry-attempt-4294967296 hostname= hostname=a hop=service-a sleep-1;error-code-14";
        for entry in bad.split_whitespace() {
            assert_eq!(read(entry), None, "{entry}");
            assert_eq!(read(&format!("sleep-1,{entry}")), None, "{entry}");
        }
        for entry in ["sleep-1 error-code-14", "sleep- 1", "sleep-1 :10%", "hostname=a hostname=a sleep-1", "sleep-1\0"]
        {
            assert_eq!(read(entry), None, "{entry}");
        }
    }

    #[test]
    fn takes_the_longest_sleep_and_the_longest_list_and_no_more() {
        assert_eq!(read("sleep-3600").map(|list| list.len()), Some(1));
        assert_eq!(read("sleep-3600000ms").map(|list| list.len()), Some(1));
        assert_eq!(read(&["sleep-1"; MAX_ENTRIES].join(",")).map(|list| list.len()), Some(MAX_ENTRIES));
        assert_eq!(read(&["sleep-1"; MAX_ENTRIES + 1].join(",")), None);
        assert_eq!(read(&" ".repeat(MAX_LENGTH)), Some(Vec::new()));
        assert_eq!(read(&" ".repeat(MAX_LENGTH + 1)), None);
    }

    #[test]
    fn draws_a_share_and_knows_its_own_name() {
        let counted = |entry: &str| (0..1000).filter(|_| read(entry).unwrap()[0].counts("me")).count();
        assert_eq!((counted("sleep-1"), counted("sleep-1:100%"), counted("sleep-1:0%")), (1000, 1000, 0));
        assert_eq!((counted("hostname=me sleep-1"), counted("hostname=you sleep-1")), (1000, 0));
        // 250 and eight standard deviations: by chance once in 10^14.
        assert!((140..360).contains(&counted("sleep-1:25%")));
    }
}
