//! Where others can connect, what is the operator's alone needs the admin token.

use mainpoint_tests::{ScriptedUpstream, StartedProxy};

use crate::memory_api::{ADMIN, ADMIN_VARIABLE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_others_can_connect_metrics_and_faults_need_the_token_and_chats_and_health_do_not() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream)
        .setting("server", "fault_injection = true")
        .setting("server", &format!("admin_token_env = {ADMIN_VARIABLE:?}"))
        .environment(ADMIN_VARIABLE, ADMIN.trim_start_matches("Bearer "))
        .listen("0.0.0.0:0")
        .start()
        .await;
    proxy.ready().await;
    assert_eq!(proxy.get("/healthz").await.status, 200);
    assert_eq!(proxy.chat(r#"{"model":"m","messages":[{"role":"user","content":"Hello"}]}"#).await.status, 200);
    let refused = proxy.get("/metrics").await;
    assert_eq!((refused.status.as_u16(), &refused.error()["param"]), (403, &"authorization".into()));
    assert!(refused.text().contains("server.admin_token_env"), "{}", refused.text());
    assert!(proxy.get_as(ADMIN, "/metrics").await.text().contains("mainpoint_requests_total"));
    for (authorization, status) in [("Bearer somebody", 403), (ADMIN, 200)] {
        let faults = format!("http://{}/mainpoint/faults", proxy.authority());
        let request = proxy.client().post(faults).header("authorization", authorization);
        let answer = request.body(r#"{"stop":"reader"}"#).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{authorization}");
    }
}
