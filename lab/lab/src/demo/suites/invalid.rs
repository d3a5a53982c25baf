//! 4: the caller is wrong, and is told how. A is not asked.

use crate::{
    demo::{expect::expect, stage::Stage},
    http::Ask,
};

pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let missing = expect(["INVALID_ARGUMENT", "from service-b", "MSG_REQUIRED"]);
    stage.client(&["call-echo", ""], "a retry would not help, so it is not UNAVAILABLE", &missing).await;
    stage.curl_b(Ask::get("/call-echo"), "the same as JSON", &expect(["400", "MSG_REQUIRED"])).await;
    stage.curl_b(Ask::get("/nope"), "no such path", &expect(["404", "UNKNOWN_METHOD"])).await;
    let method = expect(["405", "WRONG_HTTP_METHOD", "allow: GET, HEAD"]);
    stage.curl_b(Ask::post("/call-echo?msg=hello"), "405 says what is allowed", &method).await;
    let encoding = expect(["400", "BAD_QUERY"]);
    stage.curl_b(Ask::get("/call-echo?msg=%zz"), "%zz is no byte; better refused than guessed", &encoding).await;
    let large = "x".repeat(70_000);
    let refused = expect(["RESOURCE_EXHAUSTED", "from service-b", "MESSAGE_TOO_LARGE"]);
    stage.client(&["call-echo", &large], "over 64 KiB; refused before it is read", &refused).await;
    Ok(())
}
