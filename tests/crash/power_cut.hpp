// PowerCut: what of a recorded disk (recorded_disk.hpp) is there after the power has gone.
//
// What was synced is there. Of a file's other writes each sector of 512 bytes may have arrived or
// not, independently of the others, so that writes are dropped, reordered and torn; its length is
// one that it has had since. Of a directory's names those changes are there that were made before
// some moment since it was synced, as a file system with a journal has it; that a file is synced
// says nothing about its name.
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "recorded_disk.hpp"

namespace onceproxy::store::crash {

class PowerCut {
 public:
  /// All of it is on disk.
  explicit PowerCut(const Files& initial);

  void apply(const DiskEvent& event);
  /// One of the states that a power cut may leave after what was applied.
  Files now(std::mt19937_64& random) const;

 private:
  struct File {
    std::string synced;
    std::vector<DiskEvent> later;  // writes and resizes
  };
  using Names = std::map<std::string, std::size_t>;
  struct Directory {
    std::vector<DiskEvent> later;
  };

  static std::string torn(const File& file, double arrives, std::mt19937_64& random);
  static void change(std::string& bytes, const DiskEvent& event);
  static void change(Names& names, const DiskEvent& event);

  std::map<std::size_t, File> files_;
  Names names_;
  std::map<std::string, Directory> directories_;
};

}  // namespace onceproxy::store::crash
