// Deliveries of each preset, and what version 1 of the digests called them: the fingerprints that a
// program of that version gave to messages in tests/integration/payloads under
// config/examples/preset-*.yaml.
#pragma once

#include <string>
#include <vector>

namespace onceproxy::config {

struct EarlierDelivery {
  std::string preset;
  std::string message;
  std::string fingerprint;
};

inline const std::vector<EarlierDelivery> earlier_deliveries{
    {"alertmanager", "alertmanager",
     "94d6b33fc487d44b7153425eccd6614a04413b00f9cc1dd87d0c8e0891298259"},
    {"alertmanager", "alertmanager-other",
     "0baa9d0d9fc10e45169a8c27e991c0b9365a4e93649780146914bbb10c262415"},
    {"cloudevents", "cloudevents-structured",
     "4978c827ac0733d4fc195bf8a9940afd2e232afc464172cce40673ff8a3dd119"},
    {"cloudevents", "cloudevents-binary",
     "4978c827ac0733d4fc195bf8a9940afd2e232afc464172cce40673ff8a3dd119"},
    {"github", "github", "98d2500670271bf8acaeb18b03e6a33fef6fb13d483c16aef9b5ae5f5b1e6d79"},
    {"stripe", "stripe", "d1d67b94407d048ea33660f8749992a6c461a6cbd7f9d58d3662d426ffbad02a"},
    {"svix", "svix", "692290e9e7c1c10fbd36c17b2b793e97c5920054a6f29517bdcf290a4aea7733"},
    {"svix", "svix-standard-again",
     "692290e9e7c1c10fbd36c17b2b793e97c5920054a6f29517bdcf290a4aea7733"},
    {"sns", "sns", "c13a0117970f867b9d59113829eb22cc21865d94276af8cd8049e341fa967b62"},
    {"sns", "sns-bare-again", "c13a0117970f867b9d59113829eb22cc21865d94276af8cd8049e341fa967b62"},
    {"sns", "sns-raw", "d14e6d55e86f84cd35ef4eb017d765c1471fed810983b92b0d1cab245a92e3bd"},
};

}  // namespace onceproxy::config
