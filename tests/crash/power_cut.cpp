#include "power_cut.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace onceproxy::store::crash {
namespace {

using Kind = DiskEvent::Kind;

constexpr std::size_t sector = 512;

std::string directory_of(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string::npos ? std::string() : name.substr(0, slash);
}

}  // namespace

PowerCut::PowerCut(const Files& initial) {
  for (const auto& [name, bytes] : initial) {
    const std::size_t number = files_.size();
    names_[name] = number;
    files_[number].synced = bytes;
  }
}

void PowerCut::change(std::string& bytes, const DiskEvent& event) {
  if (event.kind == Kind::resize) {
    bytes.resize(event.number);
    return;
  }
  bytes.resize(std::max<std::size_t>(bytes.size(), event.number + event.bytes.size()));
  std::ranges::copy(event.bytes, bytes.begin() + static_cast<std::ptrdiff_t>(event.number));
}

void PowerCut::change(Names& names, const DiskEvent& event) {
  if (event.kind == Kind::create) {
    names[event.name] = event.file;
  } else if (event.kind == Kind::unlink) {
    names.erase(event.name);
  } else if (const auto moved = names.extract(event.name)) {
    names[event.to] = moved.mapped();
  }
}

void PowerCut::apply(const DiskEvent& event) {
  switch (event.kind) {
    case Kind::write:
    case Kind::resize:
      files_[event.file].later.push_back(event);
      break;
    case Kind::sync: {
      File& file = files_[event.file];
      for (const DiskEvent& later : file.later) change(file.synced, later);
      file.later.clear();
      break;
    }
    case Kind::create:
    case Kind::rename:
    case Kind::unlink:
      directories_[directory_of(event.name)].later.push_back(event);
      break;
    case Kind::sync_directory: {
      Directory& directory = directories_[event.name];
      for (const DiskEvent& later : directory.later) change(names_, later);
      directory.later.clear();
      break;
    }
    case Kind::mark:
      break;
  }
}

std::string PowerCut::torn(const File& file, double arrives, std::mt19937_64& random) {
  if (file.later.empty()) return file.synced;
  std::bernoulli_distribution arrived(arrives);
  std::string bytes = file.synced;
  std::vector<std::size_t> lengths{bytes.size()};
  // What a sector has missed once it misses for good: later writes of it are later than the cut.
  std::set<std::uint64_t> missed;
  std::size_t length = bytes.size();
  for (const DiskEvent& event : file.later) {
    if (event.kind == Kind::resize) {
      length = event.number;
      lengths.push_back(length);
      continue;
    }
    const std::uint64_t end = event.number + event.bytes.size();
    length = std::max<std::size_t>(length, end);
    lengths.push_back(length);
    bytes.resize(std::max<std::size_t>(bytes.size(), end));
    for (std::uint64_t at = event.number; at < end;) {
      const std::uint64_t next = std::min(end, (at / sector + 1) * sector);
      if (!arrived(random)) missed.insert(at / sector);
      if (!missed.contains(at / sector)) {
        std::copy_n(event.bytes.begin() + static_cast<std::ptrdiff_t>(at - event.number), next - at,
                    bytes.begin() + static_cast<std::ptrdiff_t>(at));
      }
      at = next;
    }
  }
  bytes.resize(lengths[random() % lengths.size()]);
  return bytes;
}

Files PowerCut::now(std::mt19937_64& random) const {
  Names names = names_;
  for (const auto& [name, directory] : directories_) {
    const std::size_t kept = random() % (directory.later.size() + 1);
    for (std::size_t i = 0; i < kept; ++i) change(names, directory.later[i]);
  }
  // Much arrives, or little, or for one file all and for another nothing.
  constexpr std::array<double, 5> chances{0.0, 0.5, 0.9, 0.999, 1.0};
  Files out;
  for (const auto& [name, number] : names) {
    const auto found = files_.find(number);
    out[name] = found == files_.end()
                    ? std::string()
                    : torn(found->second, chances[random() % chances.size()], random);
  }
  return out;
}

}  // namespace onceproxy::store::crash
