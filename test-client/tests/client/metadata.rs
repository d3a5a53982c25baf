//! Metadata as it came: what began an answer apart from what ended it, every value of every key.

use serde_json::{Value, json};

use crate::{client, servers};

fn object(args: &[&str]) -> Value {
    let ran = client([args, &["--output", "json"]].concat());
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"))
}

/// All four commands, the last of which fails after its headers; and one whose failure is nothing but trailers.
const CALLS: [(&[&str], &str); 5] = [
    (&["health-a"], "h"),
    (&["health-b"], "h"),
    (&["echo", "x"], "h"),
    (&["call-echo", "x"], "h"),
    (&["call-echo", "silence"], ""),
];

#[test]
fn tells_headers_and_trailers_apart_and_keeps_every_value() {
    let url = servers::stranger_that_says_more();
    for (args, has_headers) in CALLS {
        let object = object(&[args, &["--service-a", &url, "--service-b", &url]].concat());
        let (headers, trailers) = (&object["headers"], &object["trailers"]);
        match has_headers {
            "" => assert_eq!(headers, &json!({}), "{object}"),
            _ => {
                assert_eq!((&headers["x-both"], &headers["x-h"]), (&json!(["h1", "h2"]), &json!("only")), "{object}");
                assert_eq!(
                    (&headers["x-bin"], &headers["content-type"]),
                    (&json!("3q2+7w=="), &json!("application/grpc"))
                );
                assert!(headers["x-t"].is_null() && headers["grpc-status"].is_null(), "{object}");
            }
        }
        assert_eq!((&trailers["x-both"], &trailers["x-t"]), (&json!(["t1", "t2"]), &json!("only")), "{object}");
        assert_eq!((&trailers["x-bin"], &trailers["x-h"]), (&json!("3q2+7w=="), &Value::Null), "{object}");
        assert_eq!(trailers["grpc-status"], object["code_number"].to_string(), "{object}");
    }
}

#[test]
fn tells_the_same_in_lines_with_a_mark_before_the_trailers() {
    let url = servers::stranger_that_says_more();
    for (args, has_headers) in CALLS {
        let ran = client([args, &["-v", "--service-a", &url, "--service-b", &url]].concat());
        let (headers, trailers) = ran.stderr.split_once("< (trailers)\n").unwrap();
        let told =
            |part: &str| part.lines().filter(|line| line.starts_with("< x-")).map(str::to_owned).collect::<Vec<_>>();
        let of = |at: &str| {
            ["x-bin: 3q2+7w==", "x-both: @1", "x-both: @2", "x-@: only"]
                .map(|line| format!("< {}", line.replace('@', at)))
        };
        assert_eq!(told(trailers), of("t"), "{ran:?}");
        assert_eq!(told(headers), if has_headers.is_empty() { vec![] } else { of("h").to_vec() }, "{ran:?}");
    }
}

#[test]
fn tells_the_headers_of_an_answer_that_never_ends_or_is_none() {
    for (behavior, code, content_type) in [
        ("headers-then-stall", "DEADLINE_EXCEEDED", "application/grpc"),
        ("http-503-html", "UNAVAILABLE", "text/html"),
        ("two-messages", "UNIMPLEMENTED", "application/grpc"),
    ] {
        let peer = hostile_peer::Peer::start(behavior).unwrap();
        let object = object(&["echo", "x", "--service-a", &peer.url(), "--timeout", "500ms"]);
        assert_eq!(
            (&object["code"], &object["headers"]["content-type"]),
            (&json!(code), &json!(content_type)),
            "{object}"
        );
    }
}

#[test]
fn tells_who_answered_of_both_services_in_headers_and_of_a_refusal_in_trailers() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    let answered = object(&["call-echo", "x", "--service-b", &b.url]);
    assert_eq!(
        (&answered["headers"]["served-by"], &answered["trailers"]),
        (&answered["served_by"], &json!({"grpc-status": "0"}))
    );
    let refused = object(&["call-echo", "", "--service-b", &b.url]);
    assert_eq!((&refused["headers"], &refused["trailers"]["served-by"]), (&json!({}), &json!("service-b/2")));
    assert_eq!(refused["served_by"], "service-b/2");
}
