<#
.SYNOPSIS
  Stops and removes the Sinyal edge's service. State, logs and terminals stay where they are.
#>
[CmdletBinding()]
param([string] $Folder = 'C:\sinyal')
$ErrorActionPreference = 'Stop'
$service = Join-Path $Folder 'sinyal-edge.exe'
if (-not (Test-Path $service)) { throw "There is no service in $Folder." }
& $service stop --no-elevate
& $service uninstall --no-elevate
