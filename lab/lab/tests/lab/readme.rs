//! The README is true, and so is the page that goes on where it stops: their commands are run, in order, against a pair, and what
//! they print is what the pages say, numbers aside.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use lab::{
    http::{self, Ask},
    pair::Pair,
    program::Program,
};
use tokio::sync::broadcast::Receiver;

const README: &str = include_str!("../../../../README.md");
const BY_HAND: &str = include_str!("../../../../docs/by-hand.md");
const ARCHITECTURE: &str = include_str!("../../../../docs/architecture.md");
const WORKSPACE: &str = include_str!("../../../../Cargo.toml");

fn program() -> Program {
    Program::at(env!("CARGO_BIN_EXE_lab"))
}

/// The lines of every block of this kind, in order, on both pages.
fn blocks(kind: &str) -> Vec<&'static str> {
    let fence = format!("```{kind}\n");
    let blocks = [README, BY_HAND].map(|page| page.split(&fence).skip(1).collect::<Vec<_>>()).concat();
    blocks.into_iter().flat_map(|rest| rest.split("\n```").next().unwrap().lines()).collect()
}

/// Every number becomes #, every request id its name: what is left does not change from run to run.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for word in text.split_inclusive(' ') {
        let word = if word.starts_with("request_id=") { "request_id=#" } else { word };
        let mut digits = false;
        for c in word.chars() {
            if !(c.is_ascii_digit() && digits) {
                masked.push(if c.is_ascii_digit() { '#' } else { c });
            }
            digits = c.is_ascii_digit();
        }
    }
    masked.trim_end().to_owned()
}

/// The words of a command as a shell takes them, as far as the README goes.
fn words_of(command: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace()),
            _ => words.push(part),
        }
    }
    words
}

/// The third terminal, and a hand on A's.
struct Terminal {
    pair: Pair,
    exit: i32,
}

impl Terminal {
    async fn line(&mut self, line: &'static str) -> String {
        match line.split_once(' ').unwrap() {
            ("$", command) => self.run(command).await,
            ("#", act) => {
                self.act(act.strip_suffix(" in A's terminal").unwrap()).await;
                String::new()
            }
            _ => panic!("neither a command nor something to do: {line}"),
        }
    }

    async fn act(&mut self, act: &str) {
        match act {
            "Ctrl-C" => {
                self.pair.a.terminate().unwrap();
                assert!(self.pair.a.exited().await.unwrap().success());
            }
            "Ctrl-Z" => self.pair.a.freeze().unwrap(),
            "fg" => self.pair.a.thaw().unwrap(),
            "cargo service-a" => self.start_a(&[]).await,
            "cargo service-a --fault-injection" => self.start_a(&["--fault-injection"]).await,
            other => panic!("nobody knows how to {other}"),
        }
    }

    async fn start_a(&mut self, flags: &'static [&'static str]) {
        self.pair.flags = flags;
        self.pair.restart_a().await.unwrap();
        self.pair.recovered().await.unwrap();
    }

    async fn run(&mut self, command: &'static str) -> String {
        let words = words_of(command);
        match words[..] {
            ["cargo", "test-client", ref arguments @ ..] => self.client(arguments).await,
            ["curl", ref options @ .., url] => self.curl(options, url).await,
            ["echo", "$?"] => self.exit.to_string(),
            _ => panic!("the README has a new kind of command: {command}"),
        }
    }

    async fn client(&mut self, arguments: &[&str]) -> String {
        let mut command = program().command("test-client");
        command.args(["--service-a", &self.pair.a.url(), "--service-b", &self.pair.b.url()]);
        command.args(arguments).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let _tie = process.stdin.take();
        let output = process.wait_with_output().await.unwrap();
        self.exit = output.status.code().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    async fn curl(&self, options: &[&'static str], url: &'static str) -> String {
        let (port, path) = url.strip_prefix("http://127.0.0.1:").unwrap().split_once('/').unwrap();
        let to = if port == "8080" { self.pair.a.address() } else { self.pair.b.address() };
        let path: &'static str = format!("/{path}").leak();
        let mut ask = Ask::get(path);
        if let Some(at) = options.iter().position(|option| *option == "-H") {
            let (key, value) = options[at + 1].split_once(": ").unwrap();
            ask = ask.with(key, value);
        }
        let reply = http::ask(to, &ask).await.unwrap();
        let status = if options.contains(&"-w") { format!("\nHTTP {}", reply.status) } else { String::new() };
        reply.body + &status
    }
}

#[tokio::test]
async fn prints_what_the_readme_says() {
    let pair = Pair::start(program(), 0, 0).await.unwrap();
    let mut terminal = Terminal { pair, exit: 0 };
    let mut logs = [terminal.pair.a.log(), terminal.pair.b.log()];
    terminal.pair.recovered().await.unwrap();
    let mut lines = blocks("console").into_iter().peekable();
    while let Some(line) = lines.next() {
        let mut expected = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ") && !line.starts_with("# ")) {
            expected.push(masked(line));
        }
        let line: &'static str = line;
        let printed = terminal.line(line).await;
        let printed: Vec<String> = printed.lines().map(masked).collect();
        assert_eq!(printed, expected, "after {line}");
    }
    let logged: Vec<String> = logs.iter_mut().flat_map(drained).collect();
    for line in blocks("log") {
        assert!(logged.contains(&masked(line)), "nobody logged {line}\n{}", logged.join("\n"));
    }
}

/// What a log has said so far.
fn drained(log: &mut Receiver<String>) -> Vec<String> {
    std::iter::from_fn(|| log.try_recv().ok()).map(|line| masked(&line)).collect()
}

#[test]
fn shows_the_demo_as_it_is() {
    let said = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_lab")).args(arguments).output().unwrap();
        words(&String::from_utf8(output.stdout).unwrap())
    };
    let third = said(&["demo", "--only", "3"]);
    let (summary, part) = blocks("demo").split_last().map(|(last, part)| (*last, part.to_vec())).unwrap();
    for line in part.iter().filter(|line| line.trim() != "…") {
        assert!(third.contains(words(line).trim()), "the demo does not show {line}\n{third}");
    }
    // How many there are of each is asserted where the whole demo runs.
    assert_eq!(masked(summary).replace("suites", "suite"), third.lines().last().unwrap().trim());
}

/// Masked, and with one space between two words: the demo aligns its columns.
fn words(text: &str) -> String {
    let line = |line: &str| masked(line).split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// The targets of a page's links to other files.
fn links(page: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(page).unwrap();
    let targets = text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap());
    targets
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .map(|target| page.parent().unwrap().join(target))
        .collect()
}

/// Every `docs/*.md`.
fn pages() -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join("docs")).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn links_to_files_that_are_there_and_to_every_page() {
    let linked = links(&root().join("README.md"));
    let others =
        ["CONTRIBUTING.md", "service-runtime/README.md", "lab/hostile-peer/README.md"].map(|page| root().join(page));
    for target in linked.iter().chain(&pages().iter().chain(&others).flat_map(|page| links(page)).collect::<Vec<_>>()) {
        assert!(target.exists(), "{} is not there", target.display());
    }
    for page in pages() {
        let is_linked = linked.iter().any(|target| target.file_name() == page.file_name());
        assert!(is_linked, "the README does not list {}", page.display());
    }
    assert!(README.lines().count() <= 160, "the README has to stay short enough to read");
}

#[test]
fn counts_the_lines_that_a_learner_reads() {
    let mut files = vec![root().join("proto/echo.proto")];
    for service in ["service-a/src", "service-b/src"] {
        files.extend(std::fs::read_dir(root().join(service)).unwrap().map(|file| file.unwrap().path()));
    }
    let lines: usize = files.iter().map(|file| std::fs::read_to_string(file).unwrap().lines().count()).sum();
    assert!(lines <= 300, "{lines} lines");
    assert!(README.contains(&format!("## The whole system is these {lines} lines")), "there are {lines}");
    for service in ["service-a", "service-b"] {
        let process = std::fs::read_to_string(root().join(service).join("src/process.rs")).unwrap();
        assert!(process.lines().count() <= 30, "{service}/src/process.rs is no more than flags and a start");
    }
}

#[test]
fn says_of_every_method_that_it_may_be_called_twice() {
    let proto = std::fs::read_to_string(root().join("proto/echo.proto")).unwrap();
    let methods: Vec<&str> = proto.lines().filter(|line| line.trim_start().starts_with("rpc ")).collect();
    let says_so = |line: &&str| line.ends_with("{ option idempotency_level = NO_SIDE_EFFECTS; }");
    assert!(methods.len() == 3 && methods.iter().all(says_so), "{methods:?}");
}

#[test]
fn gives_a_reason_for_every_dependency() {
    let dependencies = WORKSPACE.split("[workspace.dependencies]").nth(1).unwrap().lines();
    let foreign = dependencies.filter(|line| !line.contains("path = ") && !line.starts_with('#'));
    let names: Vec<&str> = foreign.filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    let reasons = ARCHITECTURE.split("## Dependencies").nth(1).unwrap();
    let reasoned: Vec<&str> = reasons.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    let is_reasoned = |name: &&str| reasoned.iter().any(|names| names.split(", ").any(|other| other == *name));
    let unexplained: Vec<&&str> = names.iter().filter(|name| !is_reasoned(name)).collect();
    assert!(names.len() > 30 && unexplained.is_empty(), "no reason for {unexplained:?}");
}
