// The rows of the table that a policy is read with, and the draft that they fill. Apart from the
// policy's reader because an override's table is made of some of them. Pure; thread-safe.
#pragma once

#include <vector>

#include "config/answer_reader.hpp"
#include "config/kind.hpp"
#include "config/lease_reader.hpp"
#include "policies/policy.hpp"

namespace onceproxy::config {

/// A policy while it is read.
struct PolicyDraft {
  PolicyDraft();

  policies::Policy policy;
  LeaseDraft lease;
  OutcomeDraft outcome;
  /// Empty where none is named. Its keys are put in before the policy is read (presets.hpp).
  std::string preset;

  /// Puts `lease` into the policy.
  void take_lease();
  /// Puts `outcome` into the policy.
  void take_outcome();
};

/// What the policy covers, and which operation a request stands for.
std::vector<Key<PolicyDraft>> naming_rows();

/// What becomes of an operation: what an override may replace.
std::vector<Key<PolicyDraft>> treatment_rows();

/// What holds for the policy as a whole.
std::vector<Key<PolicyDraft>> general_rows();

/// A list of selectors, or one word that stands for a certain list.
Kind<std::vector<policies::Selector>> selectors_or_word(Kind<std::vector<policies::Selector>> list,
                                                        std::string word,
                                                        std::vector<policies::Selector> meaning);

/// A name of 1 to 63 of a-z, 0-9 and -.
Kind<std::string> name_text(std::string what);

}  // namespace onceproxy::config
