//! The one screen of `--help`. Written by hand, for a screen that teaches in the order one learns; a test holds it
//! to the table of options.

pub(super) const HELP: &str = "\
xec runs the tasks of an Xecfile.kdl, found here or in a parent directory.

Usage: xec [option…] [task [name=value | --name[=value]]…]… [-- word…]

  xec                        run the task `default`; list the tasks if there is none
  xec build test             run tasks in this order, sharing what both need
  xec -p lint test           run them side by side
  xec deploy env=prod --dry  what a task takes follows its name; `xec -l` shows it
  xec test -- --nocapture    words for the program behind the last task
  xec 'test[os=linux]'       some instances of a matrix
  xec -n deploy              say what would run, and why; run nothing

Look, without running
  -l, --list              the tasks of the file and what they take
  -a, --all               with -l: private tasks too
      --show TASK         all that is known of one task
  -n, --dry-run           what would run
      --graph[=FORMAT]    the plan as a picture: dot, mermaid or json [dot]
      --check             all problems of the file
      --explain CODE      what a problem means, by the word in brackets
      --json              any look at a file or a plan, for machines
Run
  -f, --file FILE         this file; - is standard input
  -C, --directory DIR     go there first
  -j, --jobs N            at most N steps at once: 4, 50%, cpus-1, adaptive; 0 is no limit [all CPUs]
  -p, --parallel          the tasks named side by side
  -k, --keep-going        after a failure, run all that can still be reached
      --on-error MODE     after a failure: fail-fast (end the rest), drain (begin nothing new) or continue
      --force             run what is asked for, up to date or not
  -w, --watch             run again whenever files change
  -y, --yes               answer every question with yes
See
  -o, --output MODE       auto, live, prefixed, grouped, failed or quiet
  -q, --quiet             nothing of xec's own but failures
  -v, --verbose           also what was waited for, and what each step used
      --why               why each task with `inputs` runs, or does not
      --color WHEN        auto, always or never
      --events json[:TO]  all that happens as JSON lines: json (to stdout), json:FILE, json:fd:3
  -h, --help              this page
  -V, --version           the version

These may stand anywhere before `--`. Each can be set in the environment: XEC_JOBS=2, XEC_OUTPUT=grouped, XEC_YES=1.
";
