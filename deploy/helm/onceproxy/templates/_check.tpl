{{/* What the schema cannot see: values that are each valid, and together render to a pod that cannot work. */}}

{{/* host:port of an address as the configuration writes it: text, or a map with the key address. */}}
{{- define "onceproxy.address" -}}
{{- if kindIs "map" . -}}{{- .address -}}{{- else -}}{{- . -}}{{- end -}}
{{- end -}}

{{/* "yes" where the listener speaks TLS. */}}
{{- define "onceproxy.speaksTls" -}}
{{- if and (kindIs "map" .) (get . "tls") -}}yes{{- end -}}
{{- end -}}

{{/* Bytes of 256MiB, of 2Gi; nothing of what is written otherwise. */}}
{{- define "onceproxy.bytes" -}}
{{- $text := toString . -}}
{{- if regexMatch "^[0-9]+[KMGT]i(B)?$" $text -}}
{{- $powers := dict "K" 1024 "M" 1048576 "G" 1073741824 "T" 1099511627776 -}}
{{- mul (int64 (regexFind "^[0-9]+" $text)) (get $powers (regexFind "[KMGT]" $text)) -}}
{{- end -}}
{{- end -}}

{{/* The argument has the chart's context as `root`, and the configuration as `config`. */}}
{{- define "onceproxy.checkPorts" -}}
{{- $ports := .root.Values.ports -}}
{{- $listeners := .config.listen -}}
{{- if not (kindIs "slice" $listeners) -}}{{- $listeners = list $listeners -}}{{- end -}}
{{- $found := false -}}
{{- range $listeners -}}
{{- if hasSuffix (printf ":%v" $ports.data) (include "onceproxy.address" .) -}}{{- $found = true -}}{{- end -}}
{{- end -}}
{{- if not $found -}}
{{- fail (printf "config.listen does not name port %v, to which the Service leads: set ports.data instead" $ports.data) -}}
{{- end -}}
{{- $telemetry := .config.telemetry.listen -}}
{{- if include "onceproxy.speaksTls" $telemetry -}}
{{- fail "config.telemetry.listen with tls: the probes and the monitors speak plain HTTP" -}}
{{- end -}}
{{- $address := include "onceproxy.address" $telemetry -}}
{{- if not (hasSuffix (printf ":%v" $ports.telemetry) $address) -}}
{{- fail (printf "config.telemetry.listen does not name port %v, which the probes ask: set ports.telemetry instead" $ports.telemetry) -}}
{{- end -}}
{{- if or (hasPrefix "127." $address) (hasPrefix "localhost" $address) (hasPrefix "[::1]" $address) -}}
{{- fail "config.telemetry.listen is a loopback address, which the kubelet's probes do not reach" -}}
{{- end -}}
{{- if include "onceproxy.speaksTls" .config.admin.listen -}}
{{- fail "config.admin.listen with tls: the preStop hook could not take the pod out of service" -}}
{{- end -}}
{{- end -}}

{{- define "onceproxy.checkStore" -}}
{{- $rocksdb := dig "store" "rocksdb" dict .config -}}
{{- if $rocksdb -}}
{{- $places := list "/var/lib/onceproxy" -}}
{{- range .root.Values.extraVolumeMounts -}}{{- $places = append $places .mountPath -}}{{- end -}}
{{- $writable := false -}}
{{- range $places -}}
{{- if or (eq $rocksdb.path .) (hasPrefix (printf "%s/" .) $rocksdb.path) -}}{{- $writable = true -}}{{- end -}}
{{- end -}}
{{- if not $writable -}}
{{- fail (printf "config.store.rocksdb.path: %s is on the container's read-only root: leave it out, or mount a volume there by extraVolumeMounts" $rocksdb.path) -}}
{{- end -}}
{{- $size := include "onceproxy.bytes" .root.Values.store.size -}}
{{- $store := include "onceproxy.bytes" $rocksdb.max_bytes -}}
{{- $audit := include "onceproxy.bytes" (dig "audit" "max_bytes" "" .config) -}}
{{- if and $size $store $audit (hasPrefix "/var/lib/onceproxy" $rocksdb.path) -}}
{{- if le (int64 $size) (add (int64 $store) (int64 $audit)) -}}
{{- fail (printf "store.size (%v) must be more than store.maxBytes (%v) and store.auditMaxBytes (%v) together" .root.Values.store.size $rocksdb.max_bytes .config.audit.max_bytes) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "onceproxy.check" -}}
{{- $arguments := dict "root" . "config" (include "onceproxy.config" . | fromYaml) -}}
{{- include "onceproxy.checkPorts" $arguments -}}
{{- include "onceproxy.checkStore" $arguments -}}
{{- end -}}
