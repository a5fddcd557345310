{{/* Where the pods keep their records: store.kind, or its default. Several pods of this chart must see each
     other's duplicates. With existingConfigMap the store is what that file says. */}}
{{- define "onceproxy.storeKind" -}}
{{- $own := or .Values.existingConfigMap (dig "store" "rocksdb" dict .Values.config) -}}
{{- if .Values.store.kind -}}
{{- .Values.store.kind -}}
{{- else if and (eq .Values.mode "standalone") (gt (int .Values.replicas) 1) (not $own) -}}
postgres
{{- else -}}
emptyDir
{{- end -}}
{{- end -}}

{{/* The configuration file: what the chart sets, `config` over it, and the policies. */}}
{{- define "onceproxy.config" -}}
{{- $upstream := .Values.upstream -}}
{{- if and (not $upstream) (eq .Values.mode "sidecar") -}}
{{- $upstream = "127.0.0.1:8080" -}}
{{- end -}}
{{- $config := dict
      "listen" (printf "0.0.0.0:%v" .Values.ports.data)
      "admin" (dict "listen" (printf "127.0.0.1:%v" .Values.ports.admin))
      "telemetry" (dict "listen" (printf "0.0.0.0:%v" .Values.ports.telemetry))
      "workers" 2 -}}
{{- if $upstream -}}
{{- $_ := set $config "upstream" (dict "address" $upstream) -}}
{{- end -}}
{{- if eq (include "onceproxy.storeKind" .) "postgres" -}}
{{- with .Values.store.postgres -}}
{{- $_ := set $config "store" (dict "postgres" (dict "url" "${ONCEPROXY_DATABASE}" "connections" .connections
      "schema" .schema "durability" .durability)) -}}
{{- end -}}
{{- else -}}
{{- $_ := set $config "store" (dict "rocksdb" (dict "path" "/var/lib/onceproxy" "max_bytes" .Values.store.maxBytes)) -}}
{{- $_ := set $config "audit" (dict "max_bytes" .Values.store.auditMaxBytes) -}}
{{- end -}}
{{- $config = mergeOverwrite $config (deepCopy .Values.config) -}}
{{- if not (dig "upstream" "address" "" $config) -}}
{{- fail "set `upstream` to the service that requests are forwarded to, as host:port" -}}
{{- end -}}
{{- with .Values.policies -}}
{{- $_ := set $config "policies" . -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The same as an object, where the chart makes it and has looked at it; otherwise empty. */}}
{{- define "onceproxy.checkedConfig" -}}
{{- if not .Values.existingConfigMap -}}
{{- include "onceproxy.check" . -}}
{{- include "onceproxy.config" . -}}
{{- end -}}
{{- end -}}

{{- define "onceproxy.configMapName" -}}
{{- default (include "onceproxy.fullname" .) .Values.existingConfigMap -}}
{{- end -}}

{{/* Annotations for the pod: with `reload: restart` a digest of the configuration, so that a change replaces
     the pods; otherwise none. */}}
{{- define "onceproxy.podAnnotations" -}}
{{- if and (eq .Values.reload "restart") .Values.existingConfigMap -}}
{{- fail "reload: restart does not see what changes in existingConfigMap: let what makes that ConfigMap replace the pods, and set reload to live" -}}
{{- end -}}
{{- if eq .Values.reload "restart" -}}
checksum/onceproxy-config: {{ include "onceproxy.config" . | sha256sum }}
{{- end -}}
{{- end -}}
