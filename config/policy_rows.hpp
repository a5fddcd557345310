// The rows of a policy's table, and the draft that they fill. They are separate from the policy's
// reader because an override's table uses some of them. Pure; thread-safe.
#pragma once

#include <vector>

#include "config/answer_reader.hpp"
#include "config/kind.hpp"
#include "config/lease_reader.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// A policy while it is being read.
struct PolicyDraft {
  PolicyDraft();

  policies::Policy policy;
  LeaseDraft lease;
  OutcomeDraft outcome;
  /// Empty if there is none. Its keys are added before the policy is read (presets.hpp).
  std::string preset;

  /// Puts `lease` into the policy.
  void take_lease();
  /// Puts `outcome` into the policy.
  void take_outcome();
};

/// The keys that define the covered requests and their operations.
std::vector<Key<PolicyDraft>> naming_rows();

/// The keys that define the treatment of an operation, which an override may replace.
std::vector<Key<PolicyDraft>> treatment_rows();

/// The keys of the policy as a whole.
std::vector<Key<PolicyDraft>> general_rows();

/// A list of selectors, or a word that stands for a certain list.
Kind<std::vector<policies::Selector>> selectors_or_word(Kind<std::vector<policies::Selector>> list,
                                                        std::string word,
                                                        std::vector<policies::Selector> meaning);

/// A name of 1 to 63 of a-z, 0-9 and -.
Kind<std::string> name_text(std::string what);

}  // namespace onceproxy::config
