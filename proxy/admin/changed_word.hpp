// The result of an operator's change, as a word for the log and the audit log. Private to this
// folder. Pure.
#pragma once

#include <string_view>

#include "store/inspection.hpp"

namespace onceproxy::admin {

inline std::string_view changed_word(store::Changed result) {
  switch (result) {
    case store::Changed::done:
      return "done";
    case store::Changed::absent:
      return "absent";
    case store::Changed::conflict:
      return "conflict";
    case store::Changed::failed:
      break;
  }
  return "failed";
}

}  // namespace onceproxy::admin
