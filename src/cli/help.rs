//! The one screen of `--help`: 80 columns, in the order one learns, two options to a line where they fit. Written by
//! hand; a test holds it to the table of options.

pub(super) const HELP: &str = "\
xec [option…] [task [name=value | --name[=value]]…]… [-- word…]
runs the tasks of an Xecfile.kdl, found here or in a parent directory:
    task test { param only default=all; run \"./test $only\" }
  xec                        run the task `default`; list the tasks without one
  xec build test             run tasks in this order, sharing what both need
  xec deploy env=prod --dry  what a task takes follows its name; `-l` shows it
  xec test -- --nocapture    words for the program behind the last task
  xec 'test[os=linux]'       some instances of a matrix; of hosts: 'deploy@web*'

  -l, --list          the tasks           -a, --all          private ones too
  -n, --dry-run       what would run          --graph[=AS]   dot, mermaid, json
      --show TASK     all of one task         --check        all mistakes
      --explain CODE  on a mistake            --json         looks, as JSON
      --why           reasons to run          --force        run it all the same
      --failed        what failed last        --last         the last run again
      --affected[=REV]    what depends on a change since a revision of git
  -f, --file FILE     this; - is stdin    -C, --directory DIR  go there first
  -j, --jobs N        4, 50%, adaptive    -p, --parallel     these side by side
  -k, --keep-going    despite failures    -y, --yes          to every question
      --on HOSTS -- word…  a command on hosts: web, 'web*', 'web & !canary'
  -w, --watch         again on change     -q, --quiet        failures only
      --on-error MODE fail-fast: end the rest; drain: begin nothing; continue
  -o, --output MODE   auto, live, prefixed, grouped, failed, quiet
      --events json[:TO]  all that happens, as lines of JSON; TO: FILE, fd:N
      --profile       where time went         --trace FILE   for Perfetto
      --tune 1,2,4    the best width          --take N       first instances
      --report FILE   the run as a page of HTML
      --cache-gc[=SIZE]   remove what is kept and not wanted, down to 10GiB
  -v, --verbose       waits and usage         --color WHEN   auto, always, never
  -h, --help          this page           -V, --version
Options stand anywhere before `--`, or in the environment, as in XEC_JOBS=2.
";
