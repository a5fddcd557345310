#!/bin/sh
# Builds the tools with which the long tier tests the manifests and the chart, below build/kubernetes-tools
# or the directory that is named: Helm, helm-unittest, Kustomize, the schemas of Kubernetes, and with --server
# an API server. Needs Go 1.26 and a network; takes some ten minutes, and as long again for the server.
# What is there already is not built again.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
server=""
[ "${1:-}" != --server ] || { server=yes; shift; }
tools=${1:-$root/build/kubernetes-tools}

command -v go >/dev/null 2>&1 || { echo "kubernetes_tools.sh: this needs Go 1.26" >&2; exit 1; }
mkdir -p "$tools/bin"
export GOBIN="$tools/bin" CGO_ENABLED=0

have() { [ -x "$tools/bin/$1" ]; }

if ! have kubernetes-validate; then
  python3 -m venv "$tools/venv"
  "$tools/venv/bin/pip" -q install kubernetes-validate==1.37.0
  ln -sf "$tools/venv/bin/kubernetes-validate" "$tools/bin/kubernetes-validate"
fi
have helm || go install -ldflags='-s -w' helm.sh/helm/v3/cmd/helm@v3.22.0
have kustomize || go install -ldflags='-s -w' sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
if ! have helm-unittest; then
  # Its module replaces another one, which `go install` refuses.
  mkdir -p "$tools/unittest"
  (
    cd "$tools/unittest"
    [ -f go.mod ] || go mod init unittest
    go mod edit -replace github.com/vmware-labs/yaml-jsonpath=github.com/helm-unittest/yaml-jsonpath@v0.4.0
    go get -tool github.com/helm-unittest/helm-unittest/cmd/helm-unittest@v1.1.2
    go build -ldflags='-s -w' -o "$tools/bin/helm-unittest" \
      github.com/helm-unittest/helm-unittest/cmd/helm-unittest
  )
fi
if [ -n "$server" ] && ! have kube-apiserver; then
  mkdir -p "$tools/server"
  (
    cd "$tools/server"
    {
      printf 'module server\n\ngo 1.26\n\nrequire k8s.io/kubernetes v1.36.3\n\nreplace (\n'
      for module in api apiextensions-apiserver apimachinery apiserver cli-runtime client-go \
        cloud-provider cluster-bootstrap code-generator component-base component-helpers \
        controller-manager cri-api cri-client cri-streaming csi-translation-lib \
        dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator \
        kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils \
        pod-security-admission sample-apiserver streaming; do
        printf '\tk8s.io/%s => k8s.io/%s v0.36.3\n' "$module" "$module"
      done
      printf ')\n'
    } >go.mod
    printf 'package main\n\nimport _ "k8s.io/kubernetes/cmd/kube-apiserver/app"\n\nfunc main() {}\n' >main.go
    go mod tidy
    version="-X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1"
    version="$version -X k8s.io/component-base/version.gitMinor=36"
    go build -ldflags="$version" -o "$tools/bin/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver
  )
fi
echo "$tools/bin"
