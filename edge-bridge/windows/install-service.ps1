<#
.SYNOPSIS
  Installs the Sinyal edge as a Windows service, with WinSW as the wrapper.
.DESCRIPTION
  Run as administrator, on the edge host, from the folder edge-bridge\windows of a checkout.
  Needs Python 3.11 to 3.13 and WinSW-x64.exe (github.com/winsw/winsw, MIT), whose path is given.
  Makes a virtual environment, folders that only the service's account may read, and the service.
  Running it again renews the installation; state and logs stay.
.EXAMPLE
  .\install-service.ps1 -Wrapper C:\install\WinSW-x64.exe -Config C:\sinyal\edge.toml -Account .\sinyal
#>
[CmdletBinding()]
param(
  [Parameter(Mandatory)] [string] $Wrapper,
  [Parameter(Mandatory)] [string] $Config,
  [Parameter(Mandatory)] [string] $Account,
  [string] $Folder = 'C:\sinyal',
  [string] $Python = 'py'
)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

if (-not ([Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent()).IsInRole(
    [Security.Principal.WindowsBuiltInRole]::Administrator)) { throw 'Run this as administrator.' }
foreach ($file in @($Wrapper, $Config)) { if (-not (Test-Path $file)) { throw "There is no $file." } }

$checkout = Resolve-Path (Join-Path $PSScriptRoot '..\..')
$venv = Join-Path $Folder 'venv'
$logs = Join-Path $Folder 'logs'
$service = Join-Path $Folder 'sinyal-edge.exe'
foreach ($folder in @($Folder, $logs, (Join-Path $Folder 'state'), (Join-Path $Folder 'terminals'))) {
  New-Item -ItemType Directory -Force -Path $folder | Out-Null
}

# Only the service's account, administrators and the system may read what is here.
icacls $Folder /inheritance:r /grant 'Administrators:(OI)(CI)F' 'SYSTEM:(OI)(CI)F' "${Account}:(OI)(CI)M" | Out-Null

if (Test-Path $service) { & $service stop --no-elevate; & $service uninstall --no-elevate }
& $Python -m venv $venv
$pip = Join-Path $venv 'Scripts\python.exe'
& $pip -m pip install --quiet --require-hashes -r (Join-Path $checkout 'requirements\edge.txt')
if ($LASTEXITCODE -ne 0) { throw 'The packages could not be installed.' }
$packages = & $pip -c 'import site; print(site.getsitepackages()[-1])'
Set-Content -Encoding ascii -Path (Join-Path $packages 'sinyal.pth') -Value @(
  (Join-Path $checkout 'edge-bridge\src'), (Join-Path $checkout 'layers\contracts\src'))

Copy-Item -Force $Wrapper $service
& $pip -m edge_bridge.host.service --python $pip --config $Config --logs $logs |
  Set-Content -Encoding utf8 -Path (Join-Path $Folder 'sinyal-edge.xml')
$credential = Get-Credential -UserName $Account -Message 'Password of the account the service runs as'
& $service install --no-elevate --username $Account --password $credential.GetNetworkCredential().Password
if ($LASTEXITCODE -ne 0) { throw 'The service could not be installed.' }

# Time from AWS' own server on the host's link-local address, checked every 64 seconds.
w32tm /config /manualpeerlist:'169.254.169.123,0x9' /syncfromflags:manual /update | Out-Null
Restart-Service w32time
& $service start --no-elevate
Write-Host "Installed. Health: http://localhost:8001/health   Log: $logs\edge.log"
