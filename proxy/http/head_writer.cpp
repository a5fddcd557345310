#include "proxy/http/head_writer.hpp"

#include <algorithm>
#include <charconv>

#include "store/hex.hpp"

namespace onceproxy::http {

namespace {

void append_number(std::string& out, std::uint64_t number, int base = 10) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
  out.append(digits, end);
}

void append_length(std::string& out, std::size_t bytes) {
  out += "Content-Length: ";
  append_number(out, bytes);
  out += "\r\n";
}

/// Copies the lines of the fields that `keep` takes. Neighbours are copied in one go: their lines
/// lie side by side in the buffer, and the validator has seen every byte of them.
template <typename Keep>
void append_fields(const Head& head, std::string& out, Keep keep) {
  const std::size_t count = head.fields.size();
  if (!head.tidy) {
    for (std::size_t i = 0; i < count; ++i) {
      if (!keep(head.known[i]) || head.dropped(i)) continue;
      out.append(head.fields[i].name).append(": ").append(head.fields[i].value).append("\r\n");
    }
    return;
  }
  const auto line_begin = [&](std::size_t i) { return head.fields[i].name.data(); };
  std::size_t run = 0;
  const auto flush = [&](std::size_t end) {
    if (run == end) return;
    // The last line ends where its value does, except for trailing blanks, which are not part of
    // it.
    if (end < count) {
      out.append(line_begin(run), line_begin(end));
    } else {
      const Field& last = head.fields[count - 1];
      out.append(line_begin(run), last.value.empty() ? last.name.data() + last.name.size() + 1
                                                     : last.value.data() + last.value.size());
      out += "\r\n";
    }
  };
  for (std::size_t i = 0; i < count; ++i) {
    if (keep(head.known[i]) && !head.dropped(i)) continue;
    flush(i);
    run = i + 1;
  }
  flush(count);
}

/// An absolute-form target in HTTP/1.0 names the host that its missing Host field does not.
std::string_view host_or(const RequestHead& head, std::string_view authority) {
  return head.host.empty() ? authority : head.host;
}

void append_request_line(const RequestHead& head, std::string_view authority, std::string& out) {
  out.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
  // HTTP/1.0 may come without Host; HTTP/1.1 may not go without it.
  if (head.minor_version == 0 && !std::ranges::count(head.known, Known::host)) {
    out.append("Host: ").append(host_or(head, authority)).append("\r\n");
  }
}

/// Of the two fields of a trace; every other one is kept.
bool keeps(const TraceFields& trace, Known known) {
  if (trace.traceparent.empty()) return true;
  return known != Known::traceparent && (known != Known::tracestate || trace.keep_tracestate);
}

bool keeps(const CertificateField& certificate, Known known) {
  return known != Known::client_certificate || !certificate.ours;
}

void append_certificate(const CertificateField& certificate, std::string& out) {
  if (certificate.value.empty()) return;
  out.append("x-forwarded-client-cert: ").append(certificate.value).append("\r\n");
}

void append_trace(const TraceFields& trace, std::string& out) {
  if (trace.traceparent.empty()) return;
  out.append("traceparent: ").append(trace.traceparent).append("\r\n");
}

void append_request_id(std::string_view request_id, std::string& out) {
  if (request_id.empty()) return;
  out.append("x-request-id: ").append(request_id).append("\r\n");
}

/// The client's own X-Forwarded-For is continued, its X-Forwarded-Proto kept.
void append_forwarded(const RequestHead& head, const ForwardedFields& forwarded, std::string& out) {
  append_request_id(forwarded.request_id, out);
  out += "x-forwarded-for: ";
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (head.known[i] == Known::forwarded_for && !head.fields[i].value.empty()) {
      out.append(head.fields[i].value).append(", ");
    }
  }
  out.append(forwarded.client).append("\r\n");
  if (head.forwarded_proto < 0) {
    out += forwarded.secure ? "x-forwarded-proto: https\r\n" : "x-forwarded-proto: http\r\n";
  }
}

void append_persistence(const ClientSide& client, std::string& out) {
  if (!client.keep_alive) {
    out += "Connection: close\r\n";
  } else if (client.minor_version == 0) {
    out += "Connection: keep-alive\r\n";
  }
}

void append_decision(const gate::Decided& decided, std::string& out) {
  out.append("Onceproxy-Decision: ").append(name(decided.decision));
  if (decided.shadow) out.append(";shadow=").append(name(*decided.shadow));
  out += "\r\n";
}

bool goes_with_interim(Known known) {
  return known != Known::connection && known != Known::hop_by_hop && known != Known::ours &&
         known != Known::upgrade && known != Known::transfer_encoding &&
         known != Known::content_length;
}

void append_status_line(int status, std::string_view reason, std::string& out) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(status));
  out.append(" ").append(reason).append("\r\n");
}

}  // namespace

void write_request_head(const RequestHead& head, const ConnectionFields& kept,
                        std::string_view authority, const TraceFields& trace, std::string& out) {
  append_request_line(head, authority, out);
  append_fields(head, out, [&](Known known) {
    return known != Known::connection && known != Known::hop_by_hop && known != Known::ours &&
           known != Known::upgrade && (known != Known::expect || kept.expect) &&
           (!kept.forwarded || (known != Known::request_id && known != Known::forwarded_for)) &&
           keeps(trace, known) && keeps(kept.certificate, known);
  });
  if (kept.forwarded) append_forwarded(head, *kept.forwarded, out);
  append_trace(trace, out);
  append_certificate(kept.certificate, out);
  if (kept.upgrade) {
    out.append("Connection: upgrade\r\nUpgrade: ");
    out.append(head.fields[static_cast<std::size_t>(head.upgrade)].value).append("\r\n");
  }
  out += "\r\n";
}

void write_covered_request_head(const RequestHead& head, const CoveredFields& fields,
                                std::string_view authority, std::string& out) {
  append_request_line(head, authority, out);
  append_fields(head, out, [&](Known known) {
    switch (known) {
      case Known::connection:
      case Known::hop_by_hop:
      case Known::ours:
      case Known::upgrade:
      case Known::expect:
      case Known::transfer_encoding:
      case Known::content_length:
      case Known::request_id:
      case Known::forwarded_for:
      case Known::expected_timeout:
        return false;
      default:
        return keeps(fields.trace, known) && keeps(fields.certificate, known);
    }
  });
  if (fields.body_bytes > 0 || head.framing.kind != Framing::Kind::none || head.method == "POST" ||
      head.method == "PUT" || head.method == "PATCH") {
    append_length(out, fields.body_bytes);
  }
  append_forwarded(head, fields.forwarded, out);
  if (head.forwarded_host < 0) {
    out.append("x-forwarded-host: ").append(host_or(head, authority)).append("\r\n");
  }
  out += "x-envoy-expected-rq-timeout-ms: ";
  append_number(out, static_cast<std::uint64_t>(fields.response_timeout.count()));
  out += "\r\n";
  if (fields.fingerprint) {
    out += "Onceproxy-Fingerprint: ";
    store::append_hex(out, fields.fingerprint->view());
    out += "\r\nOnceproxy-Fence: ";
    append_number(out, fields.fence);
    out += "\r\n";
  }
  append_trace(fields.trace, out);
  append_certificate(fields.certificate, out);
  out += "\r\n";
}

void write_response_head(const ResponseHead& head, const ClientSide& client, BodyFraming framing,
                         std::size_t body_bytes, const std::optional<DecisionFields>& decision,
                         std::string& out) {
  append_status_line(head.status, head.reason, out);
  const bool keep_framing = framing == BodyFraming::as_it_came && head.status != 204;
  const bool covered = decision.has_value();
  append_fields(head, out, [&](Known known) {
    switch (known) {
      case Known::connection:
      case Known::hop_by_hop:
      case Known::ours:
      case Known::upgrade:
        return false;
      case Known::request_id:
        return client.request_id.empty();
      case Known::transfer_encoding:
        // RFC 9112 6.1: a client of HTTP/1.0 is never sent one, be it about a body that HEAD asked
        // nothing of.
        return keep_framing && client.minor_version == 1;
      case Known::content_length:
        return keep_framing;
      case Known::service_time:
        return !covered;
      default:
        return true;
    }
  });
  if (head.date < 0) out.append("Date: ").append(client.date).append("\r\n");
  if (framing == BodyFraming::length) append_length(out, body_bytes);
  if (framing == BodyFraming::chunked) out += "Transfer-Encoding: chunked\r\n";
  append_persistence(client, out);
  append_request_id(client.request_id, out);
  if (decision) {
    append_decision(decision->decided, out);
    if (decision->service_time.count() >= 0) {
      out += "x-envoy-upstream-service-time: ";
      append_number(out, static_cast<std::uint64_t>(decision->service_time.count()));
      out += "\r\n";
    }
  }
  out += "\r\n";
}

void write_interim_head(const ResponseHead& head, std::string& out) {
  append_status_line(head.status, head.reason, out);
  append_fields(head, out, goes_with_interim);
  out += "\r\n";
}

void write_switch_head(const ResponseHead& head, std::string_view request_id, std::string& out) {
  append_status_line(head.status, head.reason, out);
  append_fields(head, out,
                [](Known known) { return goes_with_interim(known) && known != Known::request_id; });
  append_request_id(request_id, out);
  if (head.upgrade >= 0) {
    out.append("Connection: upgrade\r\nUpgrade: ");
    out.append(head.fields[static_cast<std::size_t>(head.upgrade)].value).append("\r\n");
  }
  out += "\r\n";
}

void write_answer(const gate::Answer& answer, const ClientSide& client,
                  std::optional<gate::Decided> decided, std::string& out) {
  append_status_line(answer.status, gate::reason_phrase(answer.status), out);
  out += answer.head;
  if (!answer.dated) out.append("Date: ").append(client.date).append("\r\n");
  // RFC 9110 8.6: none with 1xx and 204; with 304 and HEAD it would be that of a GET.
  const bool bodiless = answer.status < 200 || answer.status == 204 || answer.status == 304;
  if (!bodiless && !(client.to_head && answer.body.empty())) {
    append_length(out, answer.body.size());
  }
  append_persistence(client, out);
  append_request_id(client.request_id, out);
  if (decided) append_decision(*decided, out);
  out += "\r\n";
  if (!bodiless && !client.to_head) out += answer.body;
}

void write_chunk_size(std::size_t bytes, std::string& out) {
  append_number(out, bytes, 16);
  out.append("\r\n");
}

void write_chunk(std::string_view data, std::string& out) {
  write_chunk_size(data.size(), out);
  out.append(data).append(chunk_end);
}

}  // namespace onceproxy::http
