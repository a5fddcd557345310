{{- define "onceproxy.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "onceproxy.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "onceproxy.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "onceproxy.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "onceproxy.selectorLabels" -}}
app.kubernetes.io/name: {{ include "onceproxy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "onceproxy.labels" -}}
{{ include "onceproxy.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* The labels of the pods that hold onceproxy. */}}
{{- define "onceproxy.podSelector" -}}
{{- if .Values.podSelector -}}
{{- toYaml .Values.podSelector -}}
{{- else if ne .Values.mode "sidecar" -}}
{{- include "onceproxy.selectorLabels" . -}}
{{- else -}}
{{- include "onceproxy.podLabels" . -}}
{{- end -}}
{{- end -}}

{{/* What an application's pod has among its labels, so that the NetworkPolicy and the others select it and no
     other pod of the release. */}}
{{- define "onceproxy.podLabels" -}}
onceproxy.io/sidecar: {{ .Release.Name }}
{{- end -}}

{{- define "onceproxy.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}
