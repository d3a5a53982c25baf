//! What a step is expected to bring, and what it brought: short facts, so that what is printed is what is compared.

use std::{fmt, ops::RangeInclusive, time::Duration};

use serde_json::Value;

use crate::{client::Answer, http::Reply};

/// What a step brought.
#[derive(Debug)]
pub struct Facts {
    /// What is shown of every answer.
    pub always: Vec<String>,
    /// What is shown only where it is expected, such as headers.
    pub more: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// What a step is to bring: these facts, and others may come with them.
#[derive(Debug)]
pub struct Expect {
    facts: Vec<String>,
    millis: Option<RangeInclusive<u128>>,
}

/// Expects these facts.
pub fn expect<const N: usize>(facts: [&str; N]) -> Expect {
    Expect { facts: facts.map(str::to_owned).into(), millis: None }
}

impl Expect {
    /// Also expects an answer after at most that many milliseconds.
    pub fn within(self, millis: u128) -> Self {
        self.between(0..=millis)
    }

    /// Also expects an answer after that many milliseconds.
    pub fn between(self, millis: RangeInclusive<u128>) -> Self {
        Expect { millis: Some(millis), ..self }
    }

    /// Has all come?
    pub fn is_met(&self, facts: &Facts) -> bool {
        let came = |fact| facts.always.contains(fact) || facts.more.contains(fact);
        let in_time = self.millis.as_ref().is_none_or(|millis| millis.contains(&facts.took.as_millis()));
        in_time && self.facts.iter().all(came)
    }

    /// What came, in a line.
    pub fn tell(&self, facts: &Facts) -> String {
        let asked = facts.more.iter().filter(|fact| self.facts.contains(fact));
        let words: Vec<&str> = facts.always.iter().chain(asked).map(String::as_str).collect();
        format!("{} · {} ms", words.join(" · "), facts.took.as_millis())
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.facts.join(" · "))?;
        match self.millis.as_ref().map(|millis| (millis.start(), millis.end())) {
            None => Ok(()),
            Some((0, end)) => write!(f, " · within {end} ms"),
            Some((start, end)) => write!(f, " · after {start} to {end} ms"),
        }
    }
}

impl From<Answer> for Facts {
    fn from(answer: Answer) -> Self {
        let from = answer.hop.filter(|_| answer.code != "OK").map(|hop| format!("from {hop}"));
        let response = answer.response.map(|response| response.to_string());
        let words = [Some(answer.code), from, answer.reason, response];
        Facts { always: words.into_iter().flatten().collect(), more: Vec::new(), took: answer.took }
    }
}

impl From<Reply> for Facts {
    fn from(reply: Reply) -> Self {
        let body = reply.json();
        let what = body["reason"].as_str().map_or_else(|| reply.body.clone(), str::to_owned);
        let headers = reply.headers.iter().map(|(key, value)| format!("{key}: {}", value.to_str().unwrap_or("?")));
        let more = headers.chain([format!("keys {}", keys(&body))]).collect();
        Facts { always: vec![reply.status.to_string(), what], more, took: reply.took }
    }
}

/// The keys in the order in which they came, if each of them has a text.
fn keys(body: &Value) -> String {
    let texts = body.as_object().into_iter().flatten().map(|(key, value)| if value.is_string() { key } else { "?" });
    texts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            always: vec!["503".into(), "X".into()],
            more: vec!["allow: GET".into()],
            took: Duration::from_millis(20),
        }
    }

    #[test]
    fn is_met_by_its_facts_in_its_time() {
        assert!(expect(["503"]).is_met(&facts()));
        assert!(expect(["X", "allow: GET"]).within(20).is_met(&facts()));
        assert!(!expect(["503", "Y"]).is_met(&facts()));
        assert!(!expect(["503"]).within(19).is_met(&facts()));
        assert!(!expect(["503"]).between(21..=30).is_met(&facts()));
    }

    #[test]
    fn tells_headers_only_where_they_are_expected() {
        assert_eq!(expect(["503"]).tell(&facts()), "503 · X · 20 ms");
        assert_eq!(expect(["allow: GET"]).tell(&facts()), "503 · X · allow: GET · 20 ms");
    }

    #[test]
    fn names_keys_in_order_and_takes_no_number_for_a_text() {
        assert_eq!(keys(&serde_json::json!({"error": "x", "code": 14})), "error, ?");
    }
}
