//! Whatever a peer says, in whatever field: a line stays a line, no terminal obeys it, and no page either.

use serde_json::Value;

use crate::{Ran, client, servers};

/// Of the text of a peer nothing is left that is not shown as it is. Lines are the client's own.
fn is_harmless(text: &str) -> bool {
    let direction = |c: char| matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().all(|c| c == '\n' || !(c.is_control() || direction(c)))
}

fn all_harmless(ran: &Ran) {
    assert!(is_harmless(&ran.stdout) && is_harmless(&ran.stderr), "{ran:?}");
}

#[test]
fn an_echo_is_the_same_text_in_json_that_no_terminal_obeys() {
    let a = servers::service_a();
    let ran = client(["echo", "\u{9b}2J\u{7f}\u{1b}\u{85}\u{2028}\u{202e}é", "--service-a", &a.url]);
    let line = "{\"echo\": \"\\u009b2J\\u007f\\u001b\\u0085\\u2028\\u202eé\"}\n";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), (line, "", 0));
    for text in ["grüße 日本語 👩\u{200d}💻", "\u{5e9}\u{5dc}\u{200f}", "a\u{a0}b/\\"] {
        let ran = client(["echo", text, "--service-a", &a.url]);
        let line = format!("{{\"echo\": \"{}\"}}\n", text.replace('\\', "\\\\"));
        assert_eq!((ran.stdout, ran.code), (line, 0));
    }
}

#[test]
fn a_failure_is_told_in_lines_that_no_terminal_obeys() {
    let url = servers::stranger();
    let told = "a\\u{1b}[2J\\u{9b}2J\\u{7f}\\u{85}\\u{2028}\\u{202e}\\u{2066}<b>&\"'";
    for flags in [&[][..], &["-v"], &["--expect", "OK"], &["--expect", "OK", "--expect-served-by", "*"]] {
        let ran = client([&["call-echo", "all", "--service-b", &url], flags].concat());
        all_harmless(&ran);
        let why = format!("UNAVAILABLE (14) from {told}: {told} ({told}) [SERVICE_A_{told}], ");
        assert!(ran.stderr.lines().any(|line| line.starts_with(&why)), "{ran:?}");
        let line: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(line["error"], format!("UNAVAILABLE: {}", servers::HARMFUL));
    }
}

#[test]
fn one_object_tells_a_failure_as_it_came_and_harmless() {
    let ran = client(["call-echo", "all", "--output", "json", "--service-b", &servers::stranger()]);
    all_harmless(&ran);
    let object: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&object["message"], &object["origin"]["hop"]), (&servers::HARMFUL.into(), &servers::HARMFUL.into()));
}

#[test]
fn a_wrong_command_line_is_told_harmless_too() {
    let ran = client(["echo", "x", "--timeout", "\u{9b}2J\u{202e}"]);
    all_harmless(&ran);
    assert_eq!((ran.stderr.lines().count(), ran.code), (1, 2));
}

#[test]
fn the_report_of_a_load_is_harmless_in_every_form() {
    let url = servers::stranger();
    let page = std::env::temp_dir().join(format!("harmless-{}.html", std::process::id()));
    let flags = ["load", "--service-b", &url, "--requests", "5", "--warmup", "0s", "--html", page.to_str().unwrap()];
    for output in ["text", "json", "csv"] {
        let ran = client([&flags[..], &["--output", output, "--fail-if", "errors>0"]].concat());
        all_harmless(&ran);
        assert_eq!(ran.code, 1, "{ran:?}");
        let shown = output == "csv" || ran.stdout.contains("SERVICE_A_a?[2J?2J???");
        assert!(shown && ran.stdout.contains("UNAVAILABLE"), "{ran:?}");
        let html = std::fs::read_to_string(&page).unwrap();
        std::fs::remove_file(&page).unwrap();
        assert!(is_harmless(&html) && !html.contains("<b>") && html.contains("&lt;b&gt;&amp;&quot;&#39;"), "{html}");
    }
}
