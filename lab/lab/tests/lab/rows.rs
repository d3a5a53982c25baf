//! Every row of the failure contract, asked from outside on both faces: B as a real process, and in A's place a real A with
//! real signals, or a peer that lies on purpose.

use std::time::Duration;

use lab::{
    failures::{Face, Kind, Stage, Times, table},
    program::Program,
};

/// What a bound adds to the contract's figure here: the contract's ε is 50 ms on an idle machine, and these tests run side
/// by side on two cores that also compile.
const SLACK: Duration = Duration::from_millis(450);
/// Far beyond every bound.
const ROW_ENDS_WITHIN: Duration = Duration::from_secs(30);

#[track_caller]
fn is_as_the_contract_says(slug: &str, face: Face) {
    let failure = table::find(slug).unwrap();
    let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = runtime.block_on(async {
        let mut stage = Stage::set(program, Kind::Ours, Times::SHORT, failure.scene, [0, 0]).await.unwrap();
        stage.play(failure, face, ROW_ENDS_WITHIN).await.unwrap()
    });
    let unmet = failure.unmet(&seen, &Times::SHORT, SLACK);
    assert_eq!(unmet, None, "row {}, {slug}: {seen}", failure.row);
}

/// A test a failure and face, and one that sees to it that none is left out.
macro_rules! rows {
    ($($sentence:ident: $slug:literal)*) => {
        mod over_grpc {
            use super::{Face, is_as_the_contract_says};
            $(#[test] fn $sentence() { is_as_the_contract_says($slug, Face::Grpc); })*
        }
        mod over_http {
            use super::{Face, is_as_the_contract_says};
            $(#[test] fn $sentence() { is_as_the_contract_says($slug, Face::Json); })*
        }
        const TESTED: &[&str] = &[$($slug),*];
    };
}

#[test]
fn leaves_no_failure_out() {
    let slugs: Vec<&str> = table::FAILURES.iter().map(|failure| failure.slug).collect();
    assert_eq!(TESTED, slugs);
}

rows! {
    row_1_is_unavailable_at_once_while_a_is_not_there: "a-down"
    row_3_is_answered_by_an_a_that_drains: "a-stops"
    row_4_is_made_again_where_a_went_away_before_it_took_the_call: "a-goes-away"
    row_4_is_made_again_where_a_refused_the_stream: "a-refuses-the-stream"
    row_4_is_unavailable_where_a_goes_away_twice: "a-always-goes-away"
    row_4_is_unavailable_where_a_refuses_twice: "a-always-refuses"
    row_5_is_unavailable_when_a_is_killed_in_the_middle: "a-killed"
    row_5_is_unavailable_when_the_connection_is_closed: "a-closes"
    row_5_is_unavailable_when_the_connection_is_reset: "a-resets"
    row_6_is_unavailable_when_the_answer_is_cut_short_by_the_connection: "a-cut"
    row_7_is_unavailable_when_bs_cap_runs_out_before_a_frozen_a_answers: "a-frozen"
    row_7_is_unavailable_when_bs_cap_runs_out_before_a_slow_a_answers: "a-slow"
    row_8_is_deadline_exceeded_when_the_callers_deadline_comes_first: "a-frozen-deadline"
    row_9_is_unavailable_once_a_half_open_connection_is_known: "a-half-open"
    row_10_is_unavailable_when_a_connect_gets_no_answer: "a-black-hole"
    row_10_is_unavailable_when_a_takes_the_connection_and_says_nothing: "a-silent"
    row_11_is_unavailable_when_as_name_does_not_resolve: "a-unresolved"
    row_12_is_ok_soon_after_a_is_back: "a-back"
    row_13_is_unavailable_before_an_http_1_server: "a-http1"
    row_13_is_unavailable_before_garbage: "a-garbage"
    row_13_is_unavailable_before_a_tls_port: "a-tls-port"
    row_13_is_unreachable_where_every_connection_is_closed: "a-closes-unasked"
    row_14_is_unavailable_when_a_proxy_cannot_reach_a: "a-proxy-503"
    row_14_is_unavailable_when_a_proxy_has_too_many_requests: "a-proxy-429"
    row_15_is_internal_when_a_web_page_comes: "a-web-page"
    row_15_is_internal_and_not_unauthenticated_when_a_proxy_wants_a_login: "a-401"
    row_16_is_internal_when_a_resets_the_stream: "a-reset-2"
    row_16_is_unavailable_and_not_cancelled_when_a_cancels_the_stream: "a-reset-8"
    row_16_is_resource_exhausted_when_a_asks_for_calm: "a-reset-11"
    row_16_is_ok_when_the_answer_was_whole_before_the_reset: "a-reset-after-the-answer"
    row_17_is_internal_without_a_status: "a-no-status"
    row_17_is_internal_with_a_status_that_is_no_number: "a-bad-status"
    row_17_keeps_the_code_where_only_the_details_are_broken: "a-bad-details"
    row_18_is_internal_without_a_message: "a-no-message"
    row_18_is_internal_with_two_messages: "a-two-messages"
    row_18_is_internal_with_endless_messages: "a-endless"
    row_18_is_internal_when_the_message_is_cut_short: "a-truncated"
    row_18_is_internal_when_the_message_cannot_be_decoded: "a-undecodable"
    row_18_is_internal_when_the_message_is_too_large: "a-oversize"
    row_18_is_internal_when_the_answer_is_to_another_question: "a-another-text"
    row_19_never_hangs_when_a_stalls_after_its_headers: "a-stalls"
    row_20_passes_on_that_a_is_unavailable: "a-unavailable"
    row_20_does_not_say_that_a_spoke_where_nothing_proves_it: "a-proxy-unavailable"
    row_21_passes_on_that_a_is_overloaded: "a-overloaded"
    row_22_is_unavailable_and_not_deadline_exceeded_when_a_gives_up: "a-gives-up"
    row_22_is_unavailable_and_not_cancelled_when_a_cancels: "a-cancels"
    row_23_is_internal_when_a_answers_any_other_error: "a-error"
    row_25_is_invalid_argument_without_a_message: "msg-missing"
    row_26_is_refused_at_once_at_the_limit_of_calls: "b-overloaded"
    row_27_is_deadline_exceeded_when_it_comes_too_late: "too-late"
    row_28_is_capped_where_the_caller_sets_no_deadline: "no-deadline"
    row_29_is_cancelled_at_a_when_the_caller_leaves: "caller-leaves"
    row_30_is_answered_by_a_b_that_drains: "b-drains"
    row_31_is_unavailable_where_a_takes_no_call: "a-no-stream"
    row_32_is_unavailable_where_a_takes_no_more_calls: "a-lowers-its-limit"
}
