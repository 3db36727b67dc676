"""Puts a table through the model: process.py TABLE --tmp DIR -o OUT."""

import argparse
import pathlib
import shutil

parser = argparse.ArgumentParser()
parser.add_argument("table", type=pathlib.Path)
parser.add_argument("--tmp", type=pathlib.Path, required=True)
parser.add_argument("-o", dest="out", type=pathlib.Path, required=True)
args = parser.parse_args()

factor = int(pathlib.Path("model.bin").read_text())
part = args.tmp / "part"
part.write_text("".join(f"{int(row) * factor}\n" for row in args.table.open()))
args.out.parent.mkdir(exist_ok=True)
shutil.move(part, args.out)
pathlib.Path("logs").mkdir(exist_ok=True)
pathlib.Path("logs", args.table.stem + ".log").write_text(f"{args.table}: done\n")
