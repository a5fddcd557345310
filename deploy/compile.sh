#!/bin/bash
# usage: deploy/compile.sh SOURCE UP BUILD COMPILER ARGUMENT…
#
# Compiles with paths that do not depend on where the checkout lies. Run in the build folder BUILD,
# it names what lies there relative to it, and the other files of SOURCE with the prefix UP, which
# leads from BUILD to SOURCE. GCC makes the paths a part of a static function's identity in a
# profile, and -ffile-prefix-map does not change that: a stored profile would fit only the place
# where it was recorded. CMakeLists.txt uses this for every build with a profile.
set -eu

source=$1 up=$2 build=$3
shift 3
command=()
for word in "$@"; do
  case $word in
    -ffile-prefix-map=*) ;;
    *)
      word=${word//"$build/"/}
      word=${word//"$source/"/"$up"}
      ;;
  esac
  command+=("$word")
done
# The last word is the source. GCC otherwise takes a random number for names that must be unique.
exec "${command[@]}" "-frandom-seed=${command[-1]}"
