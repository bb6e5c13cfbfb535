//! An upgrade while requests run: no stream ends early, no connection is refused, and the memory goes over to the new process.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mainpoint_tests::conversation::thirty_exchanges_and_the_question;
use mainpoint_tests::proxy::Home;
use mainpoint_tests::{
    Answer, Conversation, Gate, Reply, ScriptedUpstream, StartedProxy, binary, prompt, sse, wait_until, wire, within,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixDatagram};
use tokio::task::JoinHandle;

const CODE: &str = "7391-K";
const PATIENCE: Duration = Duration::from_secs(60);

/// A path in the folder at which the program lies, to be replaced by another one.
fn program(home: &Home) -> PathBuf {
    let path = home.path().join("mainpoint");
    symlink(binary::path(), &path).expect("a link");
    path
}

/// Puts a script in the place of a program, at once.
fn replace(program: &Path, script: &str) {
    let new = program.with_extension("new");
    fs::write(&new, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("a program");
    fs::rename(new, program).expect("it is replaced");
}

async fn upgradable(upstream: &ScriptedUpstream) -> (StartedProxy, PathBuf) {
    let home = Home::new();
    let program = program(&home);
    let builder = StartedProxy::before(upstream).budget(1000, 200).home(&home).program(&program);
    (builder.setting("server", "drain_seconds = 60").start().await, program)
}

/// Clients that come one after the other, each with a connection of its own, until they are told to stop.
struct Newcomers {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    coming: JoinHandle<()>,
}

impl Newcomers {
    fn come(authority: &str) -> Self {
        let (stop, served, authority) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default(), authority.to_owned());
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&served));
        let coming = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                within("a newcomer is served", PATIENCE, ask_for_health(&authority)).await;
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        });
        Self { stop, served, coming }
    }

    async fn leave(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.coming.await.expect("every newcomer was served");
        self.served.load(Ordering::Relaxed)
    }
}

async fn ask_for_health(authority: &str) {
    let mut stream = TcpStream::connect(authority).await.expect("a connection is not refused");
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("the request is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("a connection is not reset");
    assert_eq!(wire::status(&answer), 200, "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_ends_no_stream_and_refuses_no_connection_and_the_memory_goes_over() {
    let upstream = ScriptedUpstream::start().await;
    let (mut proxy, program) = upgradable(&upstream).await;
    let conversation = thirty_exchanges_and_the_question(CODE);
    proxy.chat(conversation.body()).await;
    proxy.everything_searchable().await;

    // Streams in both versions of HTTP that have begun and wait for their ends.
    let end = Gate::closed();
    let mut streams = Vec::new();
    let mut short = Conversation::new();
    short.user("Tell me a story.");
    for client in [wire::client(), wire::client_of_http_2()] {
        upstream.reply_next(Reply::events().event("{\"choices\":[]}").then_wait(&end).event("[DONE]"));
        let request = client.post(format!("{}/chat/completions", proxy.base_url())).body(short.streaming().body());
        let mut response = request.send().await.expect("an answer");
        assert!(response.chunk().await.expect("a stream").is_some());
        streams.push(tokio::spawn(Answer::from_response(response)));
    }

    let newcomers = Newcomers::come(proxy.authority());
    let mark = proxy.home().path().join("newer");
    replace(&program, &format!(": > {mark:?}\nexec {:?} \"$@\"", binary::path()));
    proxy.upgrade(1).await;
    assert!(mark.exists(), "the program is the one that lies there now");
    // Whoever comes anew is served by the new process, which has no memory yet.
    let fresh = wire::client();
    let ready = fresh.get(format!("http://{}/readyz", proxy.authority())).send().await.expect("an answer");
    let ready = Answer::from_response(ready).await;
    assert!(ready.text().contains("the process before this one still has the store"), "{}", ready.text());
    let untouched = fresh.post(format!("{}/chat/completions", proxy.base_url())).body(conversation.body());
    let untouched = Answer::from_response(untouched.send().await.expect("an answer")).await;
    assert_eq!((untouched.status.as_u16(), untouched.outcome()), (200, "failed-open"));
    assert_eq!(upstream.last_request().body, conversation.body());

    end.open();
    for stream in streams {
        let answer = stream.await.expect("the stream ends in good order");
        assert!(sse::is_done(&answer.body), "{}", answer.text());
    }
    let successor = proxy.succeeded().await;
    proxy.ready().await;
    let answer = proxy.chat(conversation.body()).await;
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    let block = prompt::memory_block(&upstream.last_request().json());
    assert!(block.is_some_and(|block| block.contains(CODE)), "the new process recalls what the old one was told");
    let served = newcomers.leave().await;
    assert!(served > 50, "only {served} clients came");

    assert!(binary::signal(successor, "TERM"));
    wait_until("the new process has ended", PATIENCE, || async {
        proxy.output().lines().filter(|line| line.ends_with(": stopped")).count() == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_program_that_does_not_start_leaves_the_old_one_serving() {
    let upstream = ScriptedUpstream::start().await;
    let (proxy, program) = upgradable(&upstream).await;
    for (script, said) in
        [("exit 3", "the new process ended before it served (exit status: 3)"), ("", "exit status: 0")]
    {
        replace(&program, script);
        assert!(binary::signal(proxy.process_id(), "USR2"));
        wait_until("the failure is said", PATIENCE, || async { proxy.output().contains(said) }).await;
    }
    fs::remove_file(&program).expect("the program is removed");
    assert!(binary::signal(proxy.process_id(), "USR2"));
    wait_until("the failure is said", PATIENCE, || async {
        proxy.output().matches("the upgrade failed; this process goes on").count() == 3
    })
    .await;
    let mut conversation = Conversation::new();
    conversation.user("The boat leaves at seven.");
    assert_eq!(proxy.chat(conversation.body()).await.status, 200);
    proxy.everything_read().await;
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_socket_of_a_service_manager_is_listened_on_and_goes_over_in_an_upgrade() {
    let upstream = ScriptedUpstream::start().await;
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("the address").to_string();
    // Whoever comes before the process waits.
    let early = tokio::spawn({
        let address = address.clone();
        async move { ask_for_health(&address).await }
    });
    let home = Home::new();
    let told = home.path().join("manager");
    let manager = UnixDatagram::bind(&told).expect("a socket");
    let builder = StartedProxy::before(&upstream).home(&home).listen("127.0.0.1:1").socket(socket);
    let mut proxy = builder.environment("NOTIFY_SOCKET", told.to_str().expect("UTF-8")).start().await;
    assert_eq!(proxy.authority(), address);
    within("the early client is served", PATIENCE, early).await.expect("it is");
    assert_eq!(next_word(&manager).await, "READY=1");
    proxy.upgrade(1).await;
    let successor = proxy.succeeded().await;
    assert_eq!(next_word(&manager).await, format!("MAINPID={successor}"));
    proxy.ready().await;
    assert_eq!(proxy.get("/healthz").await.text(), "ok");
}

async fn next_word(manager: &UnixDatagram) -> String {
    let mut word = [0; 64];
    let length = within("the service manager is told", PATIENCE, manager.recv(&mut word)).await.expect("a word");
    String::from_utf8_lossy(&word[..length]).into_owned()
}

#[test]
fn a_socket_that_others_can_connect_to_needs_a_token_as_an_address_does() {
    let socket = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let home = Home::new();
    home.configure("[memory]\nmode = \"off\"\n[upstream]\nurl = \"http://127.0.0.1:9/v1\"\n");
    let configuration = home.configuration();
    let arguments = ["serve", "--config", configuration.to_str().expect("a path in UTF-8")];
    let refused = binary::run_with_socket(socket.into(), &arguments);
    assert_eq!(refused.code, 78, "{}", refused.said());
    assert!(
        refused.stderr.contains("0.0.0.0:") && refused.stderr.contains("server.admin_token_env"),
        "{}",
        refused.stderr
    );
}
