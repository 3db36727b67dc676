//! The one screen of `--help`. Written by hand, for a screen that teaches in the order one learns; a test holds it
//! to the table of options.

pub(super) const HELP: &str = "\
xec runs the tasks of an Xecfile.kdl, found here or in a parent directory.

Usage: xec [option…] [task…]

  xec                     run the task `default`; list the tasks if there is none
  xec build test          run tasks in this order, sharing what both need
  xec -p lint test        run them side by side
  xec -n deploy           say what would run, and why; run nothing

Look, without running
  -l, --list              the tasks of the file
  -n, --dry-run           what would run
      --check             all problems of the file
      --graph[=FORMAT]    the plan as a picture: dot, mermaid or json [dot]
      --json              any of these for machines
Run
  -f, --file FILE         this file
  -C, --directory DIR     go there first
  -j, --jobs N            at most N steps at once: 4, 50%, cpus-1; 0 is no limit [all CPUs]
  -p, --parallel          the tasks named side by side
  -k, --keep-going        after a failure, run all that can still be reached
      --on-error MODE     after a failure: fail-fast (end the rest), drain (begin nothing new) or continue
  -y, --yes               answer every question with yes
See
  -o, --output MODE       auto, live, prefixed, grouped, failed or quiet
  -q, --quiet             nothing of xec's own but failures
  -v, --verbose           also what was waited for, and what each step used
      --color WHEN        auto, always or never
      --events json[:TO]  all that happens as JSON lines: json (to stdout), json:FILE, json:fd:3
  -h, --help              this page
  -V, --version           the version

Options may stand anywhere before `--`. Each can be set in the environment: XEC_JOBS=2, XEC_OUTPUT=grouped, XEC_YES=1.
";
