import { edgeSuite } from './edge.js';

edgeSuite('grpc');
