//! The kinds of problems, each with its page: what it means and how to mend it. `--explain` and `docs/errors.md`
//! show the same text. In examples, a block marked `wrong` is refused, and one without the mark is fine.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// What kind of problem it is; the text is what `--explain` takes.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The name as users see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }

            /// What it means and what to do, as markdown with an example; each line begins with a space.
            pub fn explain(self) -> &'static str {
                match self { $(Code::$name => concat!($($doc, "\n"),+),)+ }
            }
        }
    };
}

codes! {
    /// There is no Xecfile here or in a parent directory, or a file that is named cannot be read. xec looks for
    /// `Xecfile.kdl` in the directory it was started in (or that of `-C`) and then in every one above it; `-f`
    /// names another file. `-f -` is standard input, and what a shell hands over open, as it does for
    /// `-f <(generate)`, is read too, as if it stood in the directory; a named pipe is not. The paths of `include` and `dotenv` are against the directory of the file that holds
    /// them, and a `dotenv` file that need not be there is marked so.
    ///
    /// ```kdl
    /// dotenv ".env" optional=#true
    /// task hello { run "echo hello" }
    /// ```
    FileUnreadable = "file-unreadable",
    /// A file is larger than 1 MiB, or all files together are larger than 16 MiB, which no Xecfile needs. What is
    /// generated, or long, belongs into a script or a data file that a task reads.
    ///
    /// ```kdl
    /// task report { exec python "scripts/report.py" }
    /// ```
    FileTooLarge = "file-too-large",
    /// The file is not UTF-8, or holds a NUL byte or another character that KDL forbids: control characters, and
    /// the marks that reverse the direction of text and so can make a file look like what it is not. In a quoted
    /// string they are written as escapes.
    ///
    /// ```kdl
    /// task bold { exec printf "\u{1b}[1mbold\u{1b}[0m" }
    /// ```
    FileNotText = "file-not-text",
    /// Something is nested, or repeated, beyond what anybody reads: blocks, a comment `/-` around another one
    /// that hides a block, files that include files, templates that use templates. Steps that are nested deeply
    /// read better as tasks of their own.
    ///
    /// ```kdl
    /// task all { parallel { call build; call lint } }
    /// task build { run "make" }
    /// task lint { run "make lint" }
    /// ```
    TooDeep = "too-deep",
    /// The text is not KDL 2: something is not closed, or stands where it cannot stand. A block begins on the line
    /// of its node, two nodes in one line are parted by `;`, and a comment begins with `//`.
    ///
    /// ```kdl wrong
    /// task build
    /// {
    ///     run "make"
    /// }
    /// ```
    /// ```kdl
    /// task build {
    ///     run "make" // a comment
    /// }
    /// ```
    Syntax = "syntax",
    /// A bare word that KDL does not allow. Without quotes, a word cannot begin like a number (`5s`, `50%`,
    /// `1.2.3`) nor hold any of `/ { } [ ] ( ) # ; \ "`; and `true`, `false` and `null` are written `#true`,
    /// `#false` and `#null`. Put the word in quotes.
    ///
    /// ```kdl wrong
    /// task build timeout=5m { exec cargo build --manifest-path crates/a/Cargo.toml }
    /// ```
    /// ```kdl
    /// task build timeout="5m" { exec cargo build --manifest-path "crates/a/Cargo.toml" }
    /// ```
    BareWord = "bare-word",
    /// The file holds no task, so there is nothing that could run.
    ///
    /// ```kdl
    /// task hello { run "echo hello" }
    /// ```
    NoTasks = "no-tasks",
    /// No task of that name exists. In an included file, its own tasks come first, then those of the first file;
    /// `api:build` is the task `build` of the file that was included as `api`, and `:build` that of the first file.
    ///
    /// ```kdl wrong
    /// task test { needs biuld; run "make test" }
    /// task build { run "make" }
    /// ```
    /// ```kdl
    /// task test { needs build; run "make test" }
    /// task build { run "make" }
    /// ```
    UnknownTask = "unknown-task",
    /// No node of that name is allowed here. Each word of the language has its places, which the reference lists:
    /// `needs` stands in a task, a step in a task or a group.
    ///
    /// ```kdl wrong
    /// task test { parallel { needs build; run "make test" } }
    /// task build { run "make" }
    /// ```
    /// ```kdl
    /// task test { needs build; parallel { run "make test"; run "make lint" } }
    /// task build { run "make" }
    /// ```
    UnknownNode = "unknown-node",
    /// No setting or property of that name is allowed here. A setting can be written as a property or as a child
    /// of its node; both mean the same.
    ///
    /// ```kdl wrong
    /// task build tiemout="5m" { run "make" }
    /// ```
    /// ```kdl
    /// task build timeout="5m" { run "make" { timeout "1m" } }
    /// ```
    UnknownSetting = "unknown-setting",
    /// A word of `exec` holds `=` and is not quoted, which KDL takes for a property. The settings of `exec` stand in
    /// its block, so that its words are never mistaken for one.
    ///
    /// ```kdl wrong
    /// task build { exec make jobs=4 }
    /// ```
    /// ```kdl
    /// task build { exec make "jobs=4" { timeout "5m" } }
    /// ```
    ExecProperty = "exec-property",
    /// A bare word of `exec` that only a shell would understand: `&&`, `|`, `>`, `$x`, `*`. There is no shell behind
    /// `exec`, and the program would get the word as it is. Use `run`, or quote the word if that is what you want.
    ///
    /// ```kdl wrong
    /// task count { exec ls | wc -l }
    /// ```
    /// ```kdl
    /// task count { run "ls | wc -l" }
    /// ```
    ShellWord = "shell-word",
    /// The value is not one of those that the setting, the input or the axis takes. Durations, sizes and shares are
    /// quoted, with their unit; `#true` and `#false` begin with `#`.
    ///
    /// ```kdl wrong
    /// task build timeout=5 { run "make" }
    /// ```
    /// ```kdl
    /// task build timeout="5s" { run "make" }
    /// ```
    BadValue = "bad-value",
    /// A value is missing: a node without the word it is about, or an axis without values. A line break ends a node,
    /// so the values of an axis stand on one line.
    ///
    /// ```kdl wrong
    /// task clean { matrix { dir }; exec rm -r "${dir}" }
    /// ```
    /// ```kdl
    /// task clean { matrix { dir build dist }; exec rm -r "${dir}" }
    /// ```
    MissingValue = "missing-value",
    /// There are more values than the node takes. The text of `run` is one string; what two tasks are given stands
    /// on two lines.
    ///
    /// ```kdl wrong
    /// task build { run make all }
    /// ```
    /// ```kdl
    /// task build { run "make all" }
    /// ```
    ExtraValue = "extra-value",
    /// The same thing is said twice, and only one could count: two tasks with one name, one setting as property and
    /// as child, two values that a script would see under one name (`node-version` is `$node_version` there).
    ///
    /// ```kdl wrong
    /// task build timeout="5m" { timeout "6m"; run "make" }
    /// ```
    /// ```kdl
    /// task build timeout="6m" { run "make" }
    /// ```
    Duplicate = "duplicate",
    /// A name holds a character that names cannot hold, or is taken. Tasks begin with a letter; values, axes and
    /// templates are lower case, and none of them may be what xec, a shell or a proxy means by it (`xec…`, `path`,
    /// `http_proxy`). An axis with the name of a setting is spelled with `axis`, and an input cannot have an option
    /// or a letter of xec itself.
    ///
    /// ```kdl wrong
    /// task deploy { param Path; run "make deploy" }
    /// ```
    /// ```kdl
    /// task deploy { param target-path default="."; run "make deploy" }
    /// ```
    BadName = "bad-name",
    /// A block is empty, or not there, that would have to mean something.
    ///
    /// ```kdl wrong
    /// task build { parallel {}; run "make" }
    /// ```
    /// ```kdl
    /// task build { parallel { run "make"; run "make docs" } }
    /// ```
    EmptyBlock = "empty-block",
    /// KDL types such as `(u8)1` mean nothing here. As part of a text, parentheses are quoted.
    ///
    /// ```kdl wrong
    /// task show { exec echo (draft) }
    /// ```
    /// ```kdl
    /// task show { exec echo "(draft)" }
    /// ```
    TypeAnnotation = "type-annotation",
    /// `${…}` is not closed, holds no name, or an unknown filter; or a shell is asked to read what only xec can. The
    /// text of `run` belongs to the shell, where a value is a variable: `"$name"`. Everywhere else xec reads `${name}`,
    /// `${name:-default}`, `${env.NAME}` and the filters `json lines name stem dir ext len`; `$${` is the text `${`.
    ///
    /// ```kdl wrong
    /// task show { exec echo "${env.HOME|basename}" }
    /// ```
    /// ```kdl
    /// task show { exec echo "${env.HOME|name}" }
    /// ```
    BadTemplate = "bad-template",
    /// A name stands for no value, input, axis or template that can be named there. A task has values by `param`,
    /// `flag`, `rest`, its axes, `temp` and `take`, and those that its earlier steps captured; a file has its `let`s.
    /// What a step captures is there for the steps behind it, and not for those that run beside it. What a task
    /// `needs` runs before its own steps, so nothing they capture can be given to it; `call` can be given that.
    ///
    /// ```kdl wrong
    /// task show { param version default="1"; exec echo "${verison}" }
    /// ```
    /// ```kdl
    /// task show { param version default="1"; exec echo "${version}" "${env.HOME}" }
    /// ```
    UnknownValue = "unknown-value",
    /// A secret where others could see it: in the words of a process, in a path, in the name of an instance, in `env`.
    /// A `secret` reaches only those scripts whose text names it, as a variable of their environment. What needs it
    /// in an argument or under another name is told so by the script.
    ///
    /// ```kdl wrong
    /// secret TOKEN
    /// task publish { exec curl --oauth2-bearer "${TOKEN}" "https://example.com" }
    /// ```
    /// ```kdl
    /// secret TOKEN
    /// task publish { run #"REGISTRY_TOKEN="$TOKEN" ./publish"# }
    /// ```
    SecretShown = "secret-shown",
    /// `uses` names a limit that no file declares. `limit` declares one, at the top of any file of the run.
    ///
    /// ```kdl wrong
    /// limit database 1
    /// task migrate { uses databse; run "make migrate" }
    /// ```
    /// ```kdl
    /// limit database 1
    /// task migrate { uses database; run "make migrate" }
    /// ```
    UnknownLimit = "unknown-limit",
    /// `uses` wants more of a limit than there is, so it could never begin.
    ///
    /// ```kdl wrong
    /// limit licence 2
    /// task link { uses licence 3; run "make link" }
    /// ```
    /// ```kdl
    /// limit licence 2
    /// task link { uses licence 2; run "make link" }
    /// ```
    LimitExceeded = "limit-exceeded",
    /// Something takes a limit while it holds one that is declared after it, or the very same. Two that take the same
    /// limits in different orders could wait for each other for ever; so whoever holds one may take only such as are
    /// declared later, in what it calls too, and in what that needs. Limits that are used at one place are taken in
    /// one move, whatever their order.
    ///
    /// ```kdl wrong
    /// limit db 1
    /// limit network 4
    /// task load { uses network; run "curl -O data.csv"; run "psql -f load.sql" { uses db } }
    /// ```
    /// ```kdl
    /// limit network 4
    /// limit db 1
    /// task load { uses network; run "curl -O data.csv"; run "psql -f load.sql" { uses db } }
    /// ```
    LimitOrder = "limit-order",
    /// A selector means no host: a word of it names neither a host nor a tag, or no host is all that it asks for.
    /// Hosts are selected by names, tags, patterns (`web*`) and ranges (`web[1-3]`), joined by `,` (or), `&` (and) and
    /// `!` (not), of which `!` binds tightest, then `&`. A name that your ssh configuration has by itself, and not by
    /// a pattern, is a host too.
    ///
    /// ```kdl wrong
    /// host "web[1-3]" { tags web; }
    /// task up { on wbe; run "uptime" }
    /// ```
    /// ```kdl
    /// host "web[1-3]" { tags web; }
    /// task up { on "web & !web3"; run "uptime" }
    /// ```
    UnknownHost = "unknown-host",
    /// A step or a group runs at one place, and its `on` means several hosts. On a task, `on` makes an instance for
    /// each host; a step is put on one of several by `pick`.
    ///
    /// ```kdl wrong
    /// host "web[1-3]" { tags web; }
    /// task release { run "make"; run "systemctl restart app" { on web; } }
    /// ```
    /// ```kdl
    /// host "web[1-3]" { tags web; }
    /// task release { run "make"; call restart; run "app migrate" { on web pick=first; } }
    /// task restart { on web; run "systemctl restart app" }
    /// ```
    OneHost = "one-host",
    /// A `copy` does not say clearly what goes where. A path with the name of a host before it is on that host, any
    /// other path is here; one of the two is on a host, and each is one place. What may be many things (a pattern,
    /// several paths) goes into a directory, whose name ends with `/`. `dir` is a directory and `dir/.` what is in it.
    ///
    /// ```kdl wrong
    /// host web1
    /// task push { copy from="dist/" to="/srv/app" }
    /// ```
    /// ```kdl
    /// host web1
    /// task push { copy from="dist/." to="web1:/srv/app/" }
    /// ```
    CopyPlace = "copy-place",
    /// Something that can only be here is asked for on a host: the terminal (`interactive`), what outlives the run
    /// (`leave`), and files that are remembered or brought back (`outputs`, `cache`).
    ///
    /// ```kdl wrong
    /// host db1
    /// task dump { on db1; outputs dump.sql; run "pg_dump app > dump.sql" }
    /// ```
    /// ```kdl
    /// host db1
    /// task dump { on db1; run "pg_dump app" { stdout dump.sql; } }
    /// ```
    NotOnHost = "not-on-host",
    /// A task runs on several hosts, and a failure on one of them ends it on all others, wherever they are by then:
    /// that is what `on-error` is where nobody says otherwise. Said of the task or of its matrix, whatever it says, it
    /// is as you want it. Only `--check` warns of this.
    ///
    /// ```kdl
    /// host "web[1-3]" { tags web; }
    /// task deploy { matrix on-error=continue { on web; }; run "./update" }
    /// ```
    FailFastHosts = "fail-fast-hosts",
    /// A `barrier` stands where not all instances of a matrix come to it alike, or where one would wait while it holds
    /// what the others may want: in a task without a matrix, beside other steps, in a hook, under `uses`. It belongs
    /// among the steps of a task with a matrix.
    ///
    /// ```kdl wrong
    /// task load { matrix { n 1 2 }; parallel { run "make a"; barrier } }
    /// ```
    /// ```kdl
    /// task load { matrix { n 1 2 }; run "make a"; barrier; run "make b" }
    /// ```
    BarrierPlace = "barrier-place",
    /// A `run` should share the shell of its `session` and cannot: it stands beside others that run at the same time, or
    /// its `shell` is none that reads scripts as `sh` does. `session=#false` gives a step or a group shells of its own.
    ///
    /// ```kdl wrong
    /// task t session=#true { run "cd src"; parallel { run "make a"; run "make b" } }
    /// ```
    /// ```kdl
    /// task t session=#true { run "cd src"; run "make a"; parallel session=#false { run "make b"; run "make c" } }
    /// ```
    SessionPlace = "session-place",
    /// A line of a `dotenv` file is no variable. Each is `NAME=value`; the value may stand in quotes, single ones
    /// for text as it is, double ones for `\n` and `\"`, and then have many lines. `#` begins a comment. Nothing is
    /// expanded and nothing is executed.
    ///
    /// ```sh
    /// # a comment
    /// export GREETING="hello world"
    /// PRICE='5 $'
    /// ```
    BadDotenv = "bad-dotenv",
    /// The task is private: only other tasks may use it, by `needs` or `call`.
    ///
    /// ```kdl
    /// task build { call compile }
    /// task compile private=#true { run "make" }
    /// ```
    PrivateTask = "private-task",
    /// A task has no input, and no axis, of that name: a word after it on the command line, or a binding of `needs`
    /// or `call`, says what it does not take.
    ///
    /// ```kdl
    /// task greet { param name default="world"; run "echo hello $name" }
    /// task all { call greet name=you }
    /// ```
    UnknownInput = "unknown-input",
    /// A task needs a value that it was not given: a `param` without `default`. On the command line it is given as
    /// `version=1.2`.
    ///
    /// ```kdl wrong
    /// task release { needs deploy; run "echo released" }
    /// task deploy { param version; run #"echo "$version""# }
    /// ```
    /// ```kdl
    /// task release { needs deploy version="1.2"; run "echo released" }
    /// task deploy { param version; run #"echo "$version""# }
    /// ```
    MissingInput = "missing-input",
    /// An axis has no values, or a matrix no combination at all, so that nothing would run. Where that is fine, the
    /// matrix says `empty=ok`.
    ///
    /// ```kdl
    /// task convert { matrix empty=ok { file glob="data/*.csv" }; exec wc "${file}" }
    /// ```
    EmptyMatrix = "empty-matrix",
    /// A value is known only while the run goes on (a capture, a `let` by `run=`), and is wanted before anything
    /// runs: in a setting, an axis, a binding of `needs`, or for the size of `batches`.
    ///
    /// ```kdl
    /// task release { run "git describe" capture=tag; call ship version="${tag}" }
    /// task ship { param version; run "echo $version" }
    /// ```
    LateValue = "late-value",
    /// Things wait for each other, or hold each other, in a circle: tasks by `needs`, `after` and `call`, files by
    /// `include`, templates by `use`. Each edge is shown, and one of them has to go.
    ///
    /// ```kdl wrong
    /// task build { needs test; run "make" }
    /// task test { needs build; run "make test" }
    /// ```
    /// ```kdl
    /// task build { run "make" }
    /// task test { needs build; run "make test" }
    /// ```
    Cycle = "cycle",
    /// The plan would be larger than a million vertices: most often by the axes of a matrix, whose sizes multiply,
    /// or by calls that call. Leave combinations out, or let one instance do more.
    ///
    /// ```kdl
    /// task convert { run "for file in data/*.csv; do wc -l < \"$file\"; done" }
    /// ```
    PlanTooLarge = "plan-too-large",
    /// A pattern of `outputs` leads out of the project: out of the directory of the first file, or of the file that
    /// holds the task. What a task makes is removed, kept and brought back by name, which must not reach what belongs
    /// to others. What it reads, `inputs`, may lie anywhere.
    ///
    /// ```kdl wrong
    /// task site { inputs src; outputs "../public/**"; run "build-site ../public" }
    /// ```
    /// ```kdl
    /// task site { inputs src; outputs "public/**"; run "build-site public" }
    /// ```
    OutputOutside = "output-outside",
    /// Two instances in one run make the same file: whichever comes last wins, and neither is up to date afterwards.
    /// Give each a place of its own; the values of a matrix can be named in the pattern.
    ///
    /// ```kdl wrong
    /// task build { matrix { os linux macos }; outputs "dist/app"; run "make $os" }
    /// ```
    /// ```kdl
    /// task build { matrix { os linux macos }; outputs "dist/${os}/app"; run "make $os" }
    /// ```
    OutputTwice = "output-twice",
    /// The word is part of the language, and of a later version of xec than this one. It is refused rather than
    /// ignored, so that no file ever means two things. `docs/reference.md` lists these words at its end.
    ///
    /// ```kdl wrong
    /// task up { resources memory="2GiB"; exec docker compose up db }
    /// ```
    NotYet = "not-yet",
    /// The file asks for a newer xec than this one. Install that, or lower the number if the file needs nothing of it.
    ///
    /// ```kdl
    /// xec min="0.1"
    /// task hello { run "echo hello" }
    /// ```
    XecTooOld = "xec-too-old",
    /// The command line asks for something that cannot be: an unknown option, a value that an option does not take.
    /// `xec --help` shows all options on one screen.
    ///
    /// ```sh
    /// xec -j 4 -k test build
    /// ```
    Usage = "usage",
}

impl Code {
    /// The code of that name, as `--explain` takes it.
    pub fn named(name: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// Its page as markdown: a heading, and what [`Code::explain`] says.
    pub fn page(self) -> String {
        let mut page = format!("## {}\n\n", self.as_str());
        let mut before = "";
        for line in self.explain().lines().map(|line| line.strip_prefix(' ').unwrap_or(line)) {
            if before == "```" && line.starts_with("```") {
                page.push_str("\nThis is fine:\n\n");
            }
            page.push_str(line);
            page.push('\n');
            before = line;
        }
        page
    }
}

/// All pages, as markdown: `docs/errors.md`.
pub fn errors_page() -> String {
    let mut page = String::from(
        "# What xec tells, and the way out\n\nEvery problem has a code in brackets, and `xec --explain CODE` shows its \
         part of this page.\n",
    );
    for code in Code::ALL {
        page.push('\n');
        page.push_str(&code.page());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_and_explained() {
        for code in Code::ALL {
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code:?}");
            assert_eq!(Code::named(code.as_str()), Some(*code));
            assert!(code.page().trim_end().ends_with("```"), "{code:?} shows an example");
        }
    }

    #[test]
    fn the_page_is_that_of_the_codes() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
        if std::env::var_os("XEC_BLESS").is_some() {
            std::fs::write(&path, errors_page()).expect("written");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == errors_page(), "docs/errors.md is old: XEC_BLESS=1 writes it anew");
    }
}
