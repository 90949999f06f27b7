// The audit log of an AKS cluster: what every token asked the Kubernetes API for.
//
// kube-audit, not kube-audit-admin: the latter leaves out get and list, so no read of a secret is in it. It is large, and its
// policy cannot be changed on AKS; a storage account costs least, and eightysix reads its files.

@description('Name of the cluster, in the resource group of this deployment.')
param clusterName string

@description('Id of a Log Analytics workspace. Empty: none.')
param workspaceId string = ''

@description('Id of an authorization rule of an Event Hubs namespace, with the right to send. Empty: none.')
param eventHubRuleId string = ''

@description('Name of the event hub. Empty: one that Azure names.')
param eventHubName string = ''

@description('Id of a storage account: cheapest, and read with eightysix as files. Empty: none.')
param storageAccountId string = ''

resource cluster 'Microsoft.ContainerService/managedClusters@2024-09-01' existing = {
  name: clusterName
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'eightysix'
  scope: cluster
  properties: {
    workspaceId: empty(workspaceId) ? null : workspaceId
    eventHubAuthorizationRuleId: empty(eventHubRuleId) ? null : eventHubRuleId
    eventHubName: empty(eventHubName) ? null : eventHubName
    storageAccountId: empty(storageAccountId) ? null : storageAccountId
    // Tables of its own (AKSAudit): a table of all services has the event as text.
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'kube-audit'
        enabled: true
      }
    ]
  }
}
