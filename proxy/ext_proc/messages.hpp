// Short names for Envoy's ext_proc messages. protos/ contains the parts of them that are used.
#pragma once

#include "envoy/service/ext_proc/v3/external_processor.pb.h"

namespace onceproxy::ext_proc {

using envoy::config::core::v3::HeaderMap;
using envoy::config::core::v3::HeaderValue;
using envoy::config::core::v3::HeaderValueOption;
using envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
using envoy::service::ext_proc::v3::Attributes;
using envoy::service::ext_proc::v3::HeaderMutation;
using envoy::service::ext_proc::v3::HttpBody;
using envoy::service::ext_proc::v3::HttpHeaders;
using envoy::service::ext_proc::v3::ImmediateResponse;
using envoy::service::ext_proc::v3::ProcessingRequest;
using envoy::service::ext_proc::v3::ProcessingResponse;
using envoy::service::ext_proc::v3::ProtocolConfiguration;

/// The gRPC method that Envoy calls.
inline constexpr const char* process_path = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";

}  // namespace onceproxy::ext_proc
