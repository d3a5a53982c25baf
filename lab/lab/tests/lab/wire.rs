//! Every attack and bad request, a test a line: what A and B answer, and what becomes of the connection.
//!
//! Tests run in the order of their names. These come late, when those attacks that take long are over, and block nobody's turn.

use std::sync::{Mutex, PoisonError};

use lab::attacks::{describe, table};

use crate::attacks::field::both;

/// Floods come one at a time: a server that does not get the CPU to read them has not had enough of them.
static FLOODS: Mutex<()> = Mutex::new(());

#[track_caller]
fn is_as_the_contract_says(name: &str) {
    let case = table::find(name).unwrap();
    let _flood = case.floods().then(|| FLOODS.lock().unwrap_or_else(PoisonError::into_inner));
    for (who, seen) in ["A", "B"].into_iter().zip(both(case)) {
        let seen = seen.unwrap_or_else(|error| panic!("{name}, {who}: {error}"));
        assert_eq!(case.expected.unmet(&seen), None, "{name}, {who}: {}", describe(&seen));
    }
}

/// A test an attack, and one that sees to it that none is left out.
macro_rules! rows {
    ($($sentence:ident: $name:literal)*) => {
        mod row {
            use super::is_as_the_contract_says;
            $(#[test] fn $sentence() { is_as_the_contract_says($name); })*
        }
        const TESTED: &[&str] = &[$($name),*];
    };
}

#[test]
fn leaves_no_attack_out() {
    let names: Vec<&str> = table::CASES.iter().map(|case| case.name).collect();
    assert_eq!(TESTED, names);
}

rows! {
    answers_a_good_call: "good-call"
    has_no_other_service: "unknown-service"
    has_no_other_method: "unknown-method"
    wants_a_content_type: "no-content-type"
    takes_no_json_on_a_grpc_path: "content-type-json"
    takes_no_grpc_with_json_in_it: "content-type-grpc-json"
    takes_no_grpc_web: "content-type-grpc-web"
    takes_no_get_on_a_grpc_path: "grpc-get"
    takes_no_put_on_a_grpc_path: "grpc-put"
    says_that_grpc_needs_http_2: "grpc-over-http1"
    does_not_know_the_health_of_an_unknown_service: "health-check-unknown"
    watches_the_health_of_an_unknown_service: "health-watch-unknown"
    refuses_a_timeout_of_letters: "timeout-abc"
    refuses_a_timeout_below_zero: "timeout-negative"
    refuses_a_timeout_with_a_plus: "timeout-plus"
    refuses_a_timeout_of_nine_digits: "timeout-nine-digits"
    refuses_a_timeout_with_an_unknown_unit: "timeout-unit-x"
    refuses_a_timeout_without_a_value: "timeout-empty"
    is_deadline_exceeded_with_a_timeout_of_zero: "timeout-zero"
    is_deadline_exceeded_where_the_deadline_has_passed_on_arrival: "timeout-tiny"
    refuses_a_call_without_a_message: "no-message"
    refuses_a_call_with_two_messages: "two-messages"
    is_internal_where_the_message_is_no_protobuf: "malformed-protobuf"
    is_internal_where_a_string_is_not_utf_8: "invalid-utf8"
    is_internal_where_the_message_ends_early: "truncated-message"
    is_internal_where_the_prefix_ends_early: "truncated-prefix"
    is_internal_where_the_flag_is_7: "bad-flag"
    is_internal_where_a_message_is_compressed_without_saying_how: "compressed-without-encoding"
    refuses_snappy: "encoding-snappy"
    refuses_gzip: "encoding-gzip"
    refuses_a_large_message_before_it_is_sent: "message-too-large"
    refuses_a_message_of_4_gib_before_it_is_sent: "message-of-4gib"
    is_deadline_exceeded_where_the_body_never_ends: "body-unfinished-deadline"
    refuses_17_kib_of_metadata: "metadata-17k"
    answers_431_to_33_kib_of_metadata_and_serves_on: "metadata-33k"
    answers_431_to_100_kib_of_metadata_or_closes: "metadata-100k"
    answers_431_to_1_mib_of_metadata_or_closes: "metadata-1m"
    answers_431_to_1_000_small_fields: "metadata-1000-fields"
    answers_431_to_a_header_block_that_stands_for_much_or_closes: "hpack-bomb"
    answers_404_over_http_1: "http1-unknown-path"
    answers_405_over_http_1: "http1-wrong-method"
    answers_400_to_a_query_with_a_bad_escape: "http1-bad-percent"
    answers_400_to_a_query_that_is_not_utf_8: "http1-bad-utf8"
    answers_500_to_a_timeout_of_letters: "http1-timeout-abc"
    answers_504_to_a_timeout_of_zero: "http1-timeout-zero"
    answers_two_requests_that_come_at_once_in_their_order: "http1-pipelined"
    answers_http_1_0_once: "http1-0"
    answers_in_http_1_who_asks_to_go_on_in_http_2: "http1-upgrade-h2c"
    answers_400_without_a_host: "http1-no-host"
    answers_400_with_two_hosts: "http1-two-hosts"
    answers_431_to_17_kib_of_fields_and_serves_on: "http1-headers-17k"
    answers_431_to_33_kib_of_fields: "http1-headers-33k"
    answers_431_to_1_mib_of_fields: "http1-headers-1m"
    answers_431_to_101_fields: "http1-headers-101"
    answers_431_to_a_long_request_line: "http1-long-request-line"
    answers_400_to_a_malformed_request_line: "http1-malformed-request-line"
    answers_400_to_a_space_before_a_colon: "http1-space-before-colon"
    answers_400_to_two_lengths: "http1-two-lengths"
    answers_400_to_a_length_that_is_none: "http1-bad-length"
    closes_after_a_request_with_a_length_and_chunks: "http1-length-and-chunked"
    answers_400_to_a_coding_that_is_not_chunked: "http1-bad-coding"
    closes_after_a_body_that_is_none: "http1-bad-chunk"
    answers_404_over_http_2: "http2-unknown-path"
    answers_405_over_http_2: "http2-wrong-method"
    answers_400_to_a_bad_escape_over_http_2: "http2-bad-percent"
    resets_a_request_without_a_path: "http2-no-path"
    closes_after_a_field_name_in_upper_case: "http2-upper-case"
    resets_a_request_with_connection: "http2-connection-field"
    resets_a_request_whose_length_is_wrong: "http2-wrong-length"
    closes_after_garbage: "garbage"
    closes_after_a_client_hello: "tls-client-hello"
    closes_after_a_bad_preface: "bad-preface"
    closes_a_peer_that_does_not_begin_with_settings: "no-settings"
    closes_after_a_push_setting_that_is_none: "settings-push-2"
    closes_after_a_window_setting_that_is_none: "settings-window-2gib"
    closes_after_a_frame_size_setting_that_is_none: "settings-frame-size-1"
    closes_after_settings_of_five_bytes: "settings-five-bytes"
    closes_after_an_even_stream: "even-stream"
    closes_after_headers_on_stream_0: "headers-on-stream-0"
    closes_after_a_stream_that_goes_back: "stream-goes-back"
    closes_after_a_frame_that_is_too_large: "frame-too-large"
    closes_after_data_on_an_idle_stream: "data-on-idle"
    closes_after_data_on_stream_0: "data-on-stream-0"
    closes_after_a_reset_of_an_idle_stream: "reset-on-idle"
    closes_after_a_window_update_by_0: "window-update-0"
    closes_after_a_window_that_overflows: "window-overflow"
    closes_after_a_header_block_that_is_none: "hpack-garbage"
    closes_after_a_continuation_of_nothing: "continuation-alone"
    closes_after_a_header_block_that_is_interrupted: "headers-interrupted"
    closes_after_a_ping_of_seven_bytes: "ping-seven-bytes"
    closes_after_a_push_from_a_client: "client-pushes"
    has_enough_of_rapid_resets: "rapid-reset"
    has_enough_of_window_updates_by_0_that_make_it_reset: "made-you-reset-window"
    has_enough_of_windows_that_overflow_and_make_it_reset: "made-you-reset-overflow"
    has_enough_of_data_after_the_end_that_makes_it_reset: "made-you-reset-data"
    has_enough_of_headers_after_the_end_that_make_it_reset: "made-you-reset-headers"
    has_enough_of_streams_that_depend_on_themselves: "made-you-reset-priority"
    has_enough_of_priorities_of_four_bytes: "made-you-reset-length"
    has_enough_of_continuations: "continuation-flood"
    has_enough_of_empty_continuations: "empty-continuation-flood"
    has_enough_of_empty_data: "empty-data-flood"
    has_enough_of_pings: "ping-flood"
    has_enough_of_settings: "settings-flood"
    has_enough_of_empty_settings: "empty-settings-flood"
    has_enough_of_priorities: "priority-flood"
    has_enough_of_window_updates: "window-update-flood"
    has_enough_of_unknown_frames: "unknown-frame-flood"
    has_enough_of_streams: "stream-flood"
    refuses_streams_beyond_the_limit_and_serves_on: "too-many-streams"
    closes_one_connection_too_many_until_there_is_room: "one-connection-over-8"
    is_unavailable_where_the_body_never_ends_and_there_is_no_deadline: "body-unfinished"
    answers_a_get_whose_body_never_comes: "http1-body-unfinished"
    closes_a_silent_peer: "silent"
    closes_half_a_preface: "half-preface"
    closes_a_preface_without_settings: "preface-without-settings"
    closes_headers_without_an_end: "unfinished-headers"
    closes_half_a_ping: "half-a-ping"
    closes_half_a_data_frame: "half-a-data-frame"
    closes_headers_that_come_byte_by_byte: "headers-byte-by-byte"
    closes_http_1_headers_without_an_end: "http1-unfinished-headers"
    closes_an_http_1_request_that_comes_byte_by_byte: "http1-byte-by-byte"
    keeps_http_1_for_the_next_request_but_not_for_ever: "http1-idle"
    closes_a_peer_without_a_window: "window-0"
    closes_a_peer_that_never_reads: "never-reads"
    closes_an_http_1_peer_that_never_reads: "http1-never-reads"
    finds_a_caller_that_vanished: "vanished"
    keeps_a_healthy_peer_that_has_nothing_to_say: "idle"
}
