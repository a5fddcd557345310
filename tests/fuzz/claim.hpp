// A claim a fuzz target makes: the program stops where it does not hold.
#pragma once

#include <cstdio>
#include <cstdlib>

inline void claim(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}
